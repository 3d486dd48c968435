#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calculator/python_value.h"

namespace quire {

struct PythonToken {
  enum class Kind { kValue, kWord, kSymbol, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;   // of a word or a symbol
  PythonValue value;  // a number or a text
};

// Splits an expression as Python does: the longest token first. The last token is kEnd. Nothing
// when some part is no token (a number such as 007, a text without its end).
std::optional<std::vector<PythonToken>> split_python_tokens(std::string_view text);

}  // namespace quire
