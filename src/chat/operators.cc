#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/format.h"
#include "chat/objects.h"
#include "chat/runtime.h"

// Arithmetic and access to parts of values, with Python's rules.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

Status too_large() { return invalid_argument("a number of the chat template is too large"); }

// Integers are computed with 128 bits; what needs more is refused.
__extension__ using Wide = __int128;

std::optional<Wide> wide(const Value& value) {
  if (!value.is(Kind::kBigInt)) return Wide{value.as_int()};
  std::string_view digits = value.as_digits();
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  Wide number = 0;
  for (const char digit : digits) {
    const Wide next = negative ? Wide{'0' - digit} : Wide{digit - '0'};
    if (__builtin_mul_overflow(number, Wide{10}, &number) ||
        __builtin_add_overflow(number, next, &number)) {
      return std::nullopt;
    }
  }
  return number;
}

Value narrow(Wide number, bool trusted) {
  if (number >= std::numeric_limits<std::int64_t>::min() &&
      number <= std::numeric_limits<std::int64_t>::max()) {
    return Value::integer(static_cast<std::int64_t>(number), trusted);
  }
  std::string digits;
  const bool negative = number < 0;
  for (; number != 0; number /= 10) {
    const int digit = static_cast<int>(number % 10);
    digits += static_cast<char>('0' + (digit < 0 ? -digit : digit));
  }
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return Value::digits(digits, trusted);
}

// Powers of -1, 0 and 1 never overflow, so their exponent is cut down first.
Result<Value> integer_power(Wide base, Wide exponent, bool trusted) {
  if (exponent < 0) {
    if (base == 0) return invalid_argument("zero cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)), trusted);
  }
  Wide power = 1;
  if (base >= -1 && base <= 1) exponent = exponent > 1 ? 2 - exponent % 2 : exponent;
  for (Wide i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(power, base, &power)) return too_large();
  }
  return narrow(power, trusted);
}

Result<Value> integer_arithmetic(std::string_view op, Wide a, Wide b, bool trusted) {
  Wide out = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &out);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &out);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &out);
  } else if (op == "**") {
    return integer_power(a, b, trusted);
  } else {
    if (b == 0) return invalid_argument("division by zero in the chat template");
    if (op == "/") {
      return Value::real(static_cast<double>(a) / static_cast<double>(b), trusted);
    }
    if (b == -1) {
      if (op == "//") overflow = __builtin_sub_overflow(Wide{0}, a, &out);
    } else {
      // Python rounds towards minus infinity and gives the remainder the sign of the divisor.
      const bool adjust = a % b != 0 && (a < 0) != (b < 0);
      out = op == "//" ? a / b - (adjust ? 1 : 0) : a % b + (adjust ? b : 0);
    }
  }
  if (overflow) return too_large();
  return narrow(out, trusted);
}

Result<Value> real_arithmetic(std::string_view op, double a, double b, bool trusted) {
  if (op == "+") return Value::real(a + b, trusted);
  if (op == "-") return Value::real(a - b, trusted);
  if (op == "*") return Value::real(a * b, trusted);
  if (op == "**") return Value::real(std::pow(a, b), trusted);
  if (b == 0.0) return invalid_argument("division by zero in the chat template");
  if (op == "/") return Value::real(a / b, trusted);
  const double floor = std::floor(a / b);
  if (op == "//") return Value::real(floor, trusted);
  const double rest = std::fmod(a, b);
  return Value::real(rest != 0.0 && (rest < 0) != (b < 0) ? rest + b : rest, trusted);
}

// Sizes are checked before anything is made.
Result<Value> repeat(const Value& sequence, std::int64_t count, Budget* budget) {
  if (count < 0) count = 0;
  if (sequence.is(Kind::kText)) {
    const Text& text = sequence.as_text();
    std::size_t size = 0;
    if (__builtin_mul_overflow(text.size(), static_cast<std::size_t>(count), &size)) {
      return too_large();
    }
    QUIRE_TRY(budget->make_text(size));
    Text out;
    for (std::int64_t i = 0; i < count && !text.empty(); ++i) out.append(text);
    return Value::text(std::move(out));
  }
  const List& list = sequence.as_list();
  std::size_t size = 0;
  if (__builtin_mul_overflow(list.items.size(), static_cast<std::size_t>(count), &size)) {
    return too_large();
  }
  QUIRE_TRY(budget->spend(size));
  std::vector<Value> items;
  items.reserve(size);
  for (std::int64_t i = 0; i < count && !list.items.empty(); ++i) {
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return make_list(std::move(items), list.is_tuple);
}

bool is_sequence(const Value& value) { return value.is(Kind::kText) || value.is(Kind::kList); }

Result<Value> join_sequences(const Value& a, const Value& b, Budget* budget) {
  if (a.is(Kind::kText)) {
    QUIRE_TRY(budget->make_text(a.as_text().size() + b.as_text().size()));
    Text out = a.as_text();
    out.append(b.as_text());
    return Value::text(std::move(out));
  }
  if (a.as_list().is_tuple != b.as_list().is_tuple) {
    return invalid_argument("a list and a tuple cannot be added");
  }
  QUIRE_TRY(budget->spend(a.as_list().items.size() + b.as_list().items.size()));
  std::vector<Value> items = a.as_list().items;
  items.insert(items.end(), b.as_list().items.begin(), b.as_list().items.end());
  return make_list(std::move(items), a.as_list().is_tuple);
}

// The place an index means in a sequence of `size`, or -1.
std::int64_t place_of(std::int64_t index, std::size_t size) {
  const auto count = static_cast<std::int64_t>(size);
  if (index < 0) index += count;
  return index >= 0 && index < count ? index : -1;
}

// Facts about a loop are the template's own, hence trusted.
Result<Value> loop_attribute(const LoopState& loop, const std::string& name) {
  if (loop.kind != LoopState::Kind::kLoop) {
    if (loop.kind == LoopState::Kind::kCycler && name == "current") return loop.items[loop.index];
    return Value::undefined("'" + name + "'");
  }
  const auto index = static_cast<std::int64_t>(loop.index);
  const auto length = static_cast<std::int64_t>(loop.items.size());
  if (name == "index") return Value::integer(index + 1, true);
  if (name == "index0") return Value::integer(index, true);
  if (name == "revindex") return Value::integer(length - index, true);
  if (name == "revindex0") return Value::integer(length - index - 1, true);
  if (name == "first") return Value::boolean(index == 0, true);
  if (name == "last") return Value::boolean(index + 1 == length, true);
  if (name == "length") return Value::integer(length, true);
  if (name == "depth") return Value::integer(loop.depth, true);
  if (name == "depth0") return Value::integer(loop.depth - 1, true);
  if (name == "previtem" && index > 0) return loop.items[loop.index - 1];
  if (name == "nextitem" && index + 1 < length) return loop.items[loop.index + 1];
  return Value::undefined("loop." + name);
}

// Where a slice with a positive or negative step begins and ends, clamped as Python clamps it.
Result<std::int64_t> slice_bound(const Value& value,
                                 std::int64_t length,
                                 std::int64_t step,
                                 bool is_start) {
  const std::int64_t low = step < 0 ? -1 : 0;
  const std::int64_t high = step < 0 ? length - 1 : length;
  if (value.is(Kind::kNone)) return (step > 0) == is_start ? low : high;
  if (!value.is_integer()) return misused(value, "cannot be a bound of a slice");
  std::int64_t bound = value.as_int();
  if (bound < 0) bound = bound < -length ? low : std::max(bound + length, low);
  return std::min(bound, high);
}

}  // namespace

Result<Value> arithmetic(std::string_view op, const Value& a, const Value& b, Budget* budget) {
  QUIRE_TRY(budget->spend());
  if (a.is_number() && b.is_number()) {
    const bool trusted = a.is_trusted() && b.is_trusted();
    if (!a.is(Kind::kFloat) && !b.is(Kind::kFloat)) {
      const auto left = wide(a);
      const auto right = wide(b);
      if (!left || !right) return too_large();
      return integer_arithmetic(op, *left, *right, trusted);
    }
    return real_arithmetic(op, a.as_double(), b.as_double(), trusted);
  }
  if (op == "+" && is_sequence(a) && a.kind() == b.kind()) return join_sequences(a, b, budget);
  if (op == "*" && is_sequence(a) && b.is_integer()) return repeat(a, b.as_int(), budget);
  if (op == "*" && a.is_integer() && is_sequence(b)) return repeat(b, a.as_int(), budget);
  if (op == "%" && a.is(Kind::kText)) return format_percent(a.as_text(), b, budget);
  const Value& culprit = a.is(Kind::kUndefined) ? a : b;
  if (culprit.is(Kind::kUndefined)) return misused(culprit, "");
  return invalid_argument("'" + std::string(op) + "' cannot be applied to values of type " +
                          std::string(type_name(a)) + " and " + std::string(type_name(b)));
}

Result<Value> attribute_of(const Value& object, const std::string& name, Runtime* runtime) {
  QUIRE_TRY(runtime->budget.spend());
  if (object.is(Kind::kUndefined)) return misused(object, "");
  if (is_method(object, name)) return Value::undefined(name);  // the evaluator makes the method
  if (object.is(Kind::kDict)) {
    QUIRE_TRY(charge_lookup(object.as_dict(), Value(), &runtime->budget));
    if (const Value* value = object.as_dict().find(name)) return *value;
  }
  if (object.is(Kind::kList) && object.as_list().is_group) {
    if (name == "grouper") return object.as_list().items[0];
    if (name == "list") return object.as_list().items[1];
  }
  if (object.is(Kind::kNamespace)) {
    QUIRE_TRY(runtime->budget.spend(object.as_namespace().members.variables.size() / 16));
    if (const Value* value = object.as_namespace().members.find(name)) return *value;
  }
  if (object.is(Kind::kLoop)) return loop_attribute(object.as_loop(), name);
  return Value::undefined("'" + name + "' of a " + std::string(type_name(object)));
}

Result<Value> item_of(const Value& object, const Value& key, Runtime* runtime) {
  QUIRE_TRY(runtime->budget.spend());
  if (object.is(Kind::kUndefined)) return misused(object, "");
  if (object.is(Kind::kDict) && is_hashable(key)) {
    QUIRE_TRY(charge_lookup(object.as_dict(), key, &runtime->budget));
    if (const Value* value = object.as_dict().find(key)) return *value;
  }
  if (object.is(Kind::kList) && key.is_integer()) {
    const auto& items = object.as_list().items;
    const std::int64_t place = place_of(key.as_int(), items.size());
    if (place >= 0) return items[static_cast<std::size_t>(place)];
    return Value::undefined("item " + std::to_string(key.as_int()) + " of a list");
  }
  if (object.is(Kind::kText) && key.is_integer()) {
    const Text& text = object.as_text();
    QUIRE_TRY(runtime->budget.spend(text.size() / 16));
    const std::vector<std::size_t> starts = code_point_starts(text.bytes);
    const std::int64_t place = place_of(key.as_int(), starts.size() - 1);
    if (place < 0) return Value::undefined("a character past the end of a string");
    const auto at = static_cast<std::size_t>(place);
    return Value::text(text.slice(starts[at], starts[at + 1]));
  }
  if (key.is(Kind::kText)) return attribute_of(object, key.as_text().bytes, runtime);
  return Value::undefined("an item of a " + std::string(type_name(object)));
}

Result<Value> slice_of(
    const Value& object, const Value& start, const Value& stop, const Value& step, Budget* budget) {
  if (!is_sequence(object)) return misused(object, "cannot be sliced");
  if (!step.is(Kind::kNone) && !step.is_integer()) return misused(step, "cannot be a step");
  const std::int64_t stride = step.is(Kind::kNone) ? 1 : step.as_int();
  if (stride == 0) return invalid_argument("the step of a slice is zero");
  std::vector<std::size_t> starts;
  std::int64_t length = 0;
  if (object.is(Kind::kText)) {
    QUIRE_TRY(budget->spend(object.as_text().size() / 16 + 1));
    starts = code_point_starts(object.as_text().bytes);
    length = static_cast<std::int64_t>(starts.size()) - 1;
  } else {
    length = static_cast<std::int64_t>(object.as_list().items.size());
    QUIRE_TRY(budget->spend(object.as_list().items.size()));
  }
  QUIRE_ASSIGN(const std::int64_t begin, slice_bound(start, length, stride, true));
  QUIRE_ASSIGN(const std::int64_t end, slice_bound(stop, length, stride, false));
  Text text;
  std::vector<Value> items;
  std::int64_t at = begin;
  while (stride > 0 ? at < end : at > end) {
    const auto place = static_cast<std::size_t>(at);
    if (object.is(Kind::kText)) {
      text.append(object.as_text().slice(starts[place], starts[place + 1]));
    } else {
      items.push_back(object.as_list().items[place]);
    }
    if (__builtin_add_overflow(at, stride, &at)) break;
  }
  if (object.is(Kind::kText)) return Value::text(std::move(text));
  return make_list(std::move(items), object.as_list().is_tuple);
}

}  // namespace quire::chat
