#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

// A half-open range of bytes of a text.
struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// A text and which of its bytes are trusted: ranges in ascending order that do not touch.
struct TrustedText {
  std::string text;
  std::vector<ByteRange> trusted;

  // Whether [begin, end) lies inside one trusted range.
  [[nodiscard]] bool is_trusted(std::size_t begin, std::size_t end) const;
  // Whether no byte of [begin, end) is trusted.
  [[nodiscard]] bool is_untrusted(std::size_t begin, std::size_t end) const;
  // The untrusted bytes in the middle of [begin, end), when all before and after them is trusted.
  [[nodiscard]] std::optional<ByteRange> only_gap(std::size_t begin, std::size_t end) const;
  // The part [begin, end) by itself.
  [[nodiscard]] TrustedText slice(std::size_t begin, std::size_t end) const;
  // Appends a piece; a trusted one joins a trusted one before it.
  void append(std::string_view piece, bool is_trusted);
  // Appends source[begin, end), each byte with the trust it had.
  void append_part(const TrustedText& source, std::size_t begin, std::size_t end);
};

}  // namespace quire
