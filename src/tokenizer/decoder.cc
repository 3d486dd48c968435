#include "tokenizer/decoder.h"

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "tokenizer/byte_alphabet.h"

namespace quire {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string with_replacements(const DecodeRules& rules, std::string text) {
  for (const auto& [from, to] : rules.replacements) text = replaced(std::move(text), from, to);
  return text;
}

// The byte that a token such as <0x0A> stands for.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  unsigned byte = 0;
  const char* const end = token.data() + 5;
  const auto read = std::from_chars(token.data() + 3, end, byte, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return static_cast<char>(byte);
}

// What the first token of a text adds, given its text and what it adds elsewhere.
std::string leading_bytes(const DecodeRules& rules,
                          std::string_view token,
                          const std::string& elsewhere) {
  if (!rules.drop_in_first.empty()) {
    return with_replacements(rules, replaced(std::string(token), rules.drop_in_first, ""));
  }
  const bool strips = rules.strip_left && elsewhere.starts_with(' ');
  return elsewhere.substr(strips ? 1 : 0);
}

}  // namespace

DecodedToken decode_token(const DecodeRules& rules, std::string_view token) {
  DecodedToken decoded;
  const std::string text(token);
  if (rules.byte_level) {
    decoded.bytes = bytes_of_alphabet(text).value_or(text);
    decoded.leading_bytes = decoded.bytes;
    return decoded;
  }
  decoded.bytes = with_replacements(rules, text);
  if (const auto byte = rules.byte_fallback ? byte_of(decoded.bytes) : std::nullopt) {
    decoded.bytes = std::string(1, *byte);
    decoded.is_byte = true;
  }
  decoded.leading_bytes = leading_bytes(rules, token, decoded.bytes);
  return decoded;
}

}  // namespace quire
