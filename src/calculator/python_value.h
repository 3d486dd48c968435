#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "calculator/big_integer.h"

namespace quire {

// A value of the calculator's language: what Python's objects of these types are. Plain data.
struct PythonNone {
  bool operator==(const PythonNone&) const = default;
};
struct PythonText {
  std::string text;  // ASCII
  bool is_bytes = false;
  bool operator==(const PythonText&) const = default;
};
struct PythonSequence;
using PythonValue = std::variant<PythonNone, bool, BigInteger, double, PythonText, PythonSequence>;
struct PythonSequence {
  std::vector<PythonText> items;  // never anything else: nothing makes a list of numbers
  bool is_tuple = false;
  bool operator==(const PythonSequence&) const = default;
};

// What str() says of a value; `str_of` of a text is the text itself, of bytes their literal.
std::string str_of(const PythonValue& value);

// The shortest digits that read back as the same double, in Python's form: 0.1, 1e-05, 1e+16, inf.
std::string repr_of(double number);

// Whether a condition takes the value for true.
bool is_true(const PythonValue& value);

// Python's == between values: numbers by value, whatever their type.
bool are_equal(const PythonValue& a, const PythonValue& b);

// The number in a bool or an integer; null for all else.
const BigInteger* as_integer(const PythonValue& value, BigInteger* storage);

}  // namespace quire
