#include "calculator/python_operators.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace quire {
namespace {

using MaybeValue = std::optional<PythonValue>;

// a // b for b != 0: the floor of the quotient, from the exact remainder and not from the rounded
// quotient, which may lie on the other side of a whole number.
double floor_divide(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

MaybeValue apply(std::string_view op, double a, double b) {
  if (op == "+") return PythonValue(a + b);
  if (op == "-") return PythonValue(a - b);
  if (op == "*") return PythonValue(a * b);
  if (b == 0) return std::nullopt;
  return PythonValue(op == "/" ? a / b : floor_divide(a, b));
}

MaybeValue apply(std::string_view op, const BigInteger& a, const BigInteger& b) {
  if (op == "+") return PythonValue(a + b);
  if (op == "-") return PythonValue(a - b);
  if (op == "*") return PythonValue(a * b);
  if (b.is_zero()) return std::nullopt;
  if (op == "//") return PythonValue(a.floor_divide(b));
  const std::optional<double> quotient = a.true_divide(b);
  return quotient ? MaybeValue(*quotient) : std::nullopt;
}

std::optional<double> as_double(const PythonValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  BigInteger storage;
  const BigInteger* integer = as_integer(value, &storage);
  return integer != nullptr ? integer->to_double() : std::nullopt;
}

// Brackets around nothing are the only sequence that arithmetic meets: it stays empty.
MaybeValue apply_to_sequences(std::string_view op,
                              const PythonValue& left,
                              const PythonValue& right) {
  const auto* a = std::get_if<PythonSequence>(&left);
  const auto* b = std::get_if<PythonSequence>(&right);
  const PythonValue& times = a != nullptr ? right : left;
  BigInteger storage;
  const BigInteger* count = as_integer(times, &storage);
  const bool adds = op == "+" && a != nullptr && b != nullptr;
  const bool repeats = op == "*" && (a != nullptr || b != nullptr) && count != nullptr &&
                       count->to_int64().has_value();
  if (adds || repeats) return PythonValue(PythonSequence{.items = {}, .is_tuple = true});
  return std::nullopt;
}

std::optional<bool> contains(const PythonValue& container, const PythonValue& item) {
  if (const auto* sequence = std::get_if<PythonSequence>(&container)) {
    return std::ranges::any_of(sequence->items,
                               [&item](const PythonText& text) { return are_equal(text, item); });
  }
  const auto* text = std::get_if<PythonText>(&container);
  if (text == nullptr) return std::nullopt;
  BigInteger storage;
  if (const BigInteger* number = as_integer(item, &storage); text->is_bytes && number != nullptr) {
    const std::optional<std::int64_t> byte = number->to_int64();
    if (!byte || *byte < 0 || *byte > 255) return std::nullopt;
    return text->text.find(static_cast<char>(*byte)) != std::string::npos;
  }
  const auto* part = std::get_if<PythonText>(&item);
  if (part == nullptr || part->is_bytes != text->is_bytes) return std::nullopt;
  return text->text.find(part->text) != std::string::npos;
}

// Whether both are one object, as far as Python promises it: None, True, False, small numbers,
// texts of a character at most and the empty tuple exist once. Of the rest nothing is known.
std::optional<bool> are_same(const PythonValue& left, const PythonValue& right) {
  if (left.index() != right.index() || !(left == right)) return false;
  if (const auto* integer = std::get_if<BigInteger>(&left)) {
    if (integer->bit_length() > 8) return std::nullopt;
  } else if (const auto* text = std::get_if<PythonText>(&left)) {
    if (text->text.size() > 1) return std::nullopt;
  } else if (const auto* list = std::get_if<PythonSequence>(&left)) {
    if (!list->is_tuple) return false;
    if (!list->items.empty()) return std::nullopt;
  } else if (std::holds_alternative<double>(left)) {
    return std::nullopt;
  }
  return true;
}

}  // namespace

std::optional<PythonValue> apply_arithmetic(std::string_view op,
                                            const PythonValue& left,
                                            const PythonValue& right) {
  BigInteger left_storage;
  BigInteger right_storage;
  const BigInteger* a = as_integer(left, &left_storage);
  const BigInteger* b = as_integer(right, &right_storage);
  if (a != nullptr && b != nullptr) return apply(op, *a, *b);
  const std::optional<double> x = as_double(left);
  const std::optional<double> y = as_double(right);
  if (x && y) return apply(op, *x, *y);
  return apply_to_sequences(op, left, right);
}

std::optional<PythonValue> apply_sign(std::string_view op, const PythonValue& operand) {
  const bool negate = op == "-";
  if (const auto* number = std::get_if<double>(&operand)) {
    return PythonValue(negate ? -*number : *number);
  }
  BigInteger storage;
  const BigInteger* integer = as_integer(operand, &storage);
  if (integer == nullptr) return std::nullopt;
  return PythonValue(negate ? integer->negated() : *integer);
}

std::optional<bool> apply_comparison(std::string_view op,
                                     const PythonValue& left,
                                     const PythonValue& right) {
  const bool negated = op == "not in" || op == "is not";
  const std::optional<bool> holds =
      op.starts_with("is") ? are_same(left, right) : contains(right, left);
  if (!holds) return std::nullopt;
  return *holds != negated;
}

}  // namespace quire
