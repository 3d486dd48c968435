#include "tokenizer/byte_alphabet.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace quire {
namespace {

constexpr char32_t kNumAlphabetCodePoints = 0x144;

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// Bytes that are not printable Latin-1 take the code points from U+0100 on, in ascending order.
struct Alphabet {
  std::array<char16_t, 256> code_point_of = {};
  std::array<std::int16_t, kNumAlphabetCodePoints> byte_of = {};

  constexpr Alphabet() {
    byte_of.fill(-1);
    char16_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const char16_t code_point = stands_for_itself(byte) ? static_cast<char16_t>(byte) : next++;
      code_point_of[byte] = code_point;
      byte_of[code_point] = static_cast<std::int16_t>(byte);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::optional<std::string> bytes_of_alphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    if (!decoded.ok || decoded.code_point >= kNumAlphabetCodePoints) return std::nullopt;
    const std::int16_t byte = kAlphabet.byte_of[decoded.code_point];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    at += decoded.length;
  }
  return bytes;
}

std::string alphabet_of_bytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    append_utf8(kAlphabet.code_point_of[static_cast<unsigned char>(byte)], &text);
  }
  return text;
}

}  // namespace quire
