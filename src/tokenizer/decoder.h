#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

// How the texts of tokens become the text they stand for.
struct DecodeRules {
  bool byte_level = false;  // tokens are spelled in the byte alphabet; all else is of no account
  std::vector<std::pair<std::string, std::string>> replacements;  // in each token
  bool byte_fallback = false;   // a token such as <0x0A> is a byte
  bool strip_left = false;      // a space goes from the beginning of the text
  std::string drop_in_first{};  // a mark that goes from the first token, wherever in it
};

// What a token adds to a text. A run of byte tokens is text if it is UTF-8 as a whole; otherwise
// each of them is U+FFFD.
struct DecodedToken {
  std::string bytes;
  std::string leading_bytes;  // where it is the first of a text
  bool is_byte = false;
};
DecodedToken decode_token(const DecodeRules& rules, std::string_view token);

}  // namespace quire
