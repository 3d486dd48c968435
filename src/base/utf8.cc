#include "base/utf8.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace quire {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// How long a sequence a lead byte announces (0: no lead byte) and which second bytes it allows:
// Unicode 15 table 3-7, which rules out overlong forms, surrogates and what lies past U+10FFFF.
struct LeadByte {
  std::size_t length;
  unsigned char second_min;
  unsigned char second_max;
};

LeadByte classify(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many bytes from `at` are a well-formed start of the sequence that the lead announces.
std::size_t well_formed_prefix(std::string_view text, std::size_t at, const LeadByte& lead) {
  std::size_t length = 1;
  while (length < lead.length && at + length < text.size()) {
    const unsigned char next = byte_at(text, at + length);
    const unsigned char low = length == 1 ? lead.second_min : 0x80;
    const unsigned char high = length == 1 ? lead.second_max : 0xBF;
    if (next < low || next > high) break;
    ++length;
  }
  return length;
}

}  // namespace

DecodedCodePoint decode_utf8(std::string_view text, std::size_t at) {
  const unsigned char first = byte_at(text, at);
  if (first < 0x80) return {first, 1, true};
  const LeadByte lead = classify(first);
  if (lead.length == 0) return {kReplacement, 1, false};
  const std::size_t length = well_formed_prefix(text, at, lead);
  if (length < lead.length) return {kReplacement, length, false};
  char32_t code_point = first & (0x7FU >> lead.length);
  for (std::size_t i = 1; i < length; ++i) {
    code_point = (code_point << 6U) | (byte_at(text, at + i) & 0x3FU);
  }
  return {code_point, length, true};
}

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    if (!decoded.ok) return at;
    at += decoded.length;
  }
  return std::string_view::npos;
}

void append_utf8(char32_t code_point, std::string* out) {
  const auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0U | (code_point >> 6U));
    put(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000) {
    put(0xE0U | (code_point >> 12U));
    put(0x80U | ((code_point >> 6U) & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  } else {
    put(0xF0U | (code_point >> 18U));
    put(0x80U | ((code_point >> 12U) & 0x3FU));
    put(0x80U | ((code_point >> 6U) & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  }
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    append_utf8(decoded.code_point, &out);
    at += decoded.length;
  }
  return out;
}

std::size_t incomplete_utf8_suffix(std::string_view text) {
  const std::size_t longest = std::min<std::size_t>(text.size(), 3);
  for (std::size_t back = 1; back <= longest; ++back) {
    const std::size_t at = text.size() - back;
    const LeadByte lead = classify(byte_at(text, at));
    if (lead.length == 0) continue;
    const bool open = lead.length > back && well_formed_prefix(text, at, lead) == back;
    return open ? back : 0;
  }
  return 0;
}

}  // namespace quire
