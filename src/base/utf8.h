#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quire {

// One decoded code point. `ok` is false for an ill-formed sequence; `length` is then the number of
// bytes to replace by one U+FFFD (the maximal subpart rule of Unicode 15, section 3.9).
struct DecodedCodePoint {
  char32_t code_point = 0;
  std::size_t length = 0;  // bytes consumed, at least 1
  bool ok = false;
};

// Decodes the code point at text[at]; `at` must be inside the text.
DecodedCodePoint decode_utf8(std::string_view text, std::size_t at);

// Offset of the first ill-formed byte, or npos when all of the text is well-formed.
std::size_t find_invalid_utf8(std::string_view text);

void append_utf8(char32_t code_point, std::string* out);

// The text with each ill-formed sequence replaced by U+FFFD, as Python's errors="replace" does.
std::string replace_invalid_utf8(std::string_view text);

// How many bytes at the end of the text are the start of a code point that could still be
// completed.
std::size_t incomplete_utf8_suffix(std::string_view text);

}  // namespace quire
