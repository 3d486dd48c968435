#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calculator/python_value.h"

namespace quire {

// A node of an expression. Chains are one node with many children, so that only brackets make an
// expression deep.
struct PythonNode {
  enum class Kind {
    kConstant,     // value
    kName,         // text: a name that means nothing here
    kConditional,  // children: value, condition, value, condition, ..., last value
    kOr,           // children
    kAnd,          // children
    kNot,          // one child; operators: one entry a `not`
    kCompare,      // children; operators[i] between children i and i + 1
    kArithmetic,   // as kCompare
    kSign,         // one child; operators: the signs, outermost first
    kTrailers,     // first child: the value; further ones: kAttribute or kCall
    kAttribute,    // text: its name
    kCall,         // no child, or the argument
  };
  Kind kind = Kind::kConstant;
  PythonValue value;
  std::string text;
  std::vector<std::string> operators;
  std::vector<PythonNode> children;
};

// Reads the part of Python's expressions that the calculator may meet: numbers, texts, brackets,
// signs, + - * / //, comparisons by `in` and `is`, and/or/not, conditionals, attributes and calls
// with one argument at most. Nothing when the text is no such expression. Bounds of Python's own:
// 200 brackets deep, 4300 digits an integer, chains of 2980.
std::optional<PythonNode> parse_python_expression(std::string_view text);

}  // namespace quire
