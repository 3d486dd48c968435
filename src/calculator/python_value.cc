#include "calculator/python_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quire {
namespace {

// Decimal exponents from which on Python writes a double with an exponent.
constexpr int kMinPlainExponent = -4;
constexpr int kMaxPlainExponent = 16;

std::string repr_of(const PythonText& text) {
  const bool has_single = text.text.find('\'') != std::string::npos;
  const bool has_double = text.text.find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string repr = text.is_bytes ? "b" : "";
  repr.push_back(quote);
  for (const char c : text.text) {
    if (c == quote) repr.push_back('\\');
    repr.push_back(c);
  }
  repr.push_back(quote);
  return repr;
}

std::string str_of(const PythonSequence& sequence) {
  std::string text(1, sequence.is_tuple ? '(' : '[');
  for (std::size_t i = 0; i < sequence.items.size(); ++i) {
    if (i > 0) text += ", ";
    text += repr_of(sequence.items[i]);
  }
  if (sequence.is_tuple && sequence.items.size() == 1) text.push_back(',');
  text.push_back(sequence.is_tuple ? ')' : ']');
  return text;
}

}  // namespace

std::string repr_of(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(
      buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::scientific);
  std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  std::string repr;
  if (text.front() == '-') {
    repr = "-";
    text.remove_prefix(1);
  }
  const std::size_t mark = text.find('e');
  std::string digits(1, text.front());
  if (mark > 2) digits += text.substr(2, mark - 2);
  std::string_view exponent_text = text.substr(mark + 1);
  if (exponent_text.front() == '+') exponent_text.remove_prefix(1);
  int exponent = 0;
  std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  if (exponent < kMinPlainExponent || exponent >= kMaxPlainExponent) {
    repr += digits.front();
    if (digits.size() > 1) repr += "." + digits.substr(1);
    const int size = std::abs(exponent);
    return repr + (exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + std::to_string(size);
  }
  if (exponent < 0) {
    return repr + "0." + std::string(static_cast<std::size_t>(-exponent) - 1, '0') + digits;
  }
  const std::size_t point = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= point) return repr + digits + std::string(point - digits.size(), '0') + ".0";
  return repr + digits.substr(0, point) + "." + digits.substr(point);
}

std::string str_of(const PythonValue& value) {
  if (std::holds_alternative<PythonNone>(value)) return "None";
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "True" : "False";
  if (const auto* integer = std::get_if<BigInteger>(&value)) return integer->to_string();
  if (const auto* number = std::get_if<double>(&value)) return repr_of(*number);
  if (const auto* text = std::get_if<PythonText>(&value)) {
    return text->is_bytes ? repr_of(*text) : text->text;
  }
  return str_of(std::get<PythonSequence>(value));
}

bool is_true(const PythonValue& value) {
  if (std::holds_alternative<PythonNone>(value)) return false;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* integer = std::get_if<BigInteger>(&value)) return !integer->is_zero();
  if (const auto* number = std::get_if<double>(&value)) return *number != 0;
  if (const auto* text = std::get_if<PythonText>(&value)) return !text->text.empty();
  return !std::get<PythonSequence>(value).items.empty();
}

const BigInteger* as_integer(const PythonValue& value, BigInteger* storage) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    *storage = BigInteger(*flag ? 1 : 0);
    return storage;
  }
  return std::get_if<BigInteger>(&value);
}

bool are_equal(const PythonValue& a, const PythonValue& b) {
  BigInteger a_storage;
  BigInteger b_storage;
  const BigInteger* a_integer = as_integer(a, &a_storage);
  const BigInteger* b_integer = as_integer(b, &b_storage);
  if (a_integer != nullptr && b_integer != nullptr) return *a_integer == *b_integer;
  return a == b;
}

}  // namespace quire
