#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "chat/runtime.h"

// What stands after `is`.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

Result<bool> is_divisible(const Value& value, const Value& divisor) {
  if (!value.is_integer() || !divisor.is_integer()) return misused(value, "cannot be divided");
  if (divisor.as_int() == 0) return invalid_argument("division by zero in the chat template");
  if (divisor.as_int() == -1) return true;
  return value.as_int() % divisor.as_int() == 0;
}

bool is_same(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
      return a.as_int() == b.as_int();
    case Kind::kText:
      return a.as_text().bytes == b.as_text().bytes;
    case Kind::kList:
      return &a.as_list() == &b.as_list();
    case Kind::kDict:
      return &a.as_dict() == &b.as_dict();
    default:
      return false;
  }
}

// Tests that compare with their argument.
Result<bool> compare_test(std::string_view name, const Value& a, const Value& b, Budget* budget) {
  if (name == "eq" || name == "equalto") return equal(a, b, budget);
  if (name == "sameas") return is_same(a, b);
  if (name == "in") return contains(b, a, budget);
  if (name == "divisibleby") return is_divisible(a, b);
  if (name == "ne") {
    QUIRE_ASSIGN(const bool same, equal(a, b, budget));
    return !same;
  }
  QUIRE_ASSIGN(const int order, compare(a, b, budget));
  if (name == "lt" || name == "lessthan") return order < 0;
  if (name == "le") return order <= 0;
  if (name == "gt" || name == "greaterthan") return order > 0;
  return order >= 0;
}

constexpr std::array<std::string_view, 12> kComparisons = {"eq",
                                                           "equalto",
                                                           "sameas",
                                                           "in",
                                                           "divisibleby",
                                                           "ne",
                                                           "lt",
                                                           "lessthan",
                                                           "le",
                                                           "gt",
                                                           "greaterthan",
                                                           "ge"};

constexpr std::array<std::string_view, 21> kKinds = {
    "defined", "undefined", "none",   "boolean", "true",     "false",    "integer",
    "float",   "number",    "string", "mapping", "sequence", "callable", "iterable",
    "escaped", "odd",       "even",   "lower",   "upper",    "filter",   "test"};

bool is_test(std::string_view name) {
  const auto is_in = [name](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  constexpr std::array<std::string_view, 6> kSigns = {"==", "!=", "<", "<=", ">", ">="};
  return is_in(kKinds) || is_in(kComparisons) || is_in(kSigns);
}

Result<bool> kind_test(std::string_view name, const Value& value, Runtime* runtime) {
  if (name == "defined") return !value.is(Kind::kUndefined);
  if (name == "undefined") return value.is(Kind::kUndefined);
  if (name == "none") return value.is(Kind::kNone);
  if (name == "boolean") return value.is(Kind::kBool);
  if (name == "true") return value.is(Kind::kBool) && value.as_bool();
  if (name == "false") return value.is(Kind::kBool) && !value.as_bool();
  if (name == "integer") return value.is(Kind::kInt) || value.is(Kind::kBigInt);
  if (name == "filter") return value.is(Kind::kText) && is_filter(value.as_text().bytes);
  if (name == "test") return value.is(Kind::kText) && is_test(value.as_text().bytes);
  if (name == "float") return value.is(Kind::kFloat);
  if (name == "number") return value.is_number();
  if (name == "string") return value.is(Kind::kText);
  if (name == "mapping") return value.is(Kind::kDict);
  const bool has_items = value.is(Kind::kText) || value.is(Kind::kList) || value.is(Kind::kDict);
  // An undefined value has a length and items, namely none.
  if (name == "sequence" || name == "iterable") return has_items || value.is(Kind::kUndefined);
  // So it does in the reference, where calling it is what raises the error.
  if (name == "callable") return value.is(Kind::kCallable) || value.is(Kind::kUndefined);
  if (name == "escaped") return false;
  if (name == "odd" || name == "even") {
    if (value.is(Kind::kBigInt)) {
      return ((value.as_digits().back() - '0') % 2 != 0) == (name == "odd");
    }
    if (!value.is_integer()) return misused(value, "is neither odd nor even");
    return (value.as_int() % 2 != 0) == (name == "odd");
  }
  if (name == "lower" || name == "upper") {
    QUIRE_ASSIGN(Text text, to_text(value, &runtime->budget));
    QUIRE_ASSIGN(const Value answer,
                 call_method(Value::text(std::move(text)), "is" + std::string(name), {}, runtime));
    return answer.as_bool();
  }
  return invalid_argument("there is no test '" + std::string(name) + "'");
}

}  // namespace

Result<bool> apply_test(const std::string& name,
                        const Value& value,
                        const CallArguments& arguments,
                        Runtime* runtime) {
  QUIRE_TRY(charge_call(value, arguments, &runtime->budget));
  // The operators have names of their own, for selectattr("role", "==", "user").
  constexpr std::array<std::string_view, 6> kSigns = {"==", "!=", "<", "<=", ">", ">="};
  constexpr std::array<std::string_view, 6> kNames = {"eq", "ne", "lt", "le", "gt", "ge"};
  std::string_view wanted = name;
  for (std::size_t i = 0; i < kSigns.size(); ++i) {
    if (wanted == kSigns[i]) wanted = kNames[i];
  }
  if (std::find(kComparisons.begin(), kComparisons.end(), wanted) == kComparisons.end()) {
    QUIRE_TRY(arguments.check(name, 0, {}));
    return kind_test(wanted, value, runtime);
  }
  QUIRE_TRY(arguments.check(name, 1, {"other"}));
  return compare_test(wanted, value, *arguments.find(0, "other"), &runtime->budget);
}

}  // namespace quire::chat
