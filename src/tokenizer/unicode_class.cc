#include "tokenizer/unicode_class.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/unicode_tables.h"

namespace quire {
namespace {

constexpr std::uint32_t kClassMask = 0x7FF;
constexpr std::uint32_t kClassBits = 11;
constexpr std::uint32_t kPageBits = 7;
constexpr std::uint32_t kPageSize = 1U << kPageBits;
constexpr std::uint32_t kNumPages = 0x110000U >> kPageBits;

// The runs spread out for lookups in constant time: a page number for each 128 code points, and the
// pages, of which equal neighbours are stored once (most of Unicode is long runs).
struct ClassPages {
  std::array<std::uint16_t, kNumPages> page_of = {};
  std::vector<std::uint16_t> classes;

  ClassPages() {
    std::size_t run = 0;
    std::array<std::uint16_t, kPageSize> page = {};
    for (std::uint32_t number = 0; number < kNumPages; ++number) {
      for (std::uint32_t i = 0; i < kPageSize; ++i) {
        const std::uint32_t code_point = number * kPageSize + i;
        while (run + 1 < kUnicodeRuns.size() && kUnicodeRuns[run + 1] >> kClassBits <= code_point) {
          ++run;
        }
        page[i] = static_cast<std::uint16_t>(kUnicodeRuns[run] & kClassMask);
      }
      const bool repeats = classes.size() >= kPageSize &&
                           std::equal(page.begin(), page.end(), classes.end() - kPageSize);
      if (!repeats) classes.insert(classes.end(), page.begin(), page.end());
      page_of[number] = static_cast<std::uint16_t>(classes.size() / kPageSize - 1);
    }
  }
};

}  // namespace

std::uint32_t char_classes(char32_t code_point) {
  static const ClassPages pages;
  if (code_point > 0x10FFFF) return 0;
  const std::size_t page = pages.page_of[code_point >> kPageBits];
  return pages.classes[page * kPageSize + (code_point & (kPageSize - 1))];
}

ClassedChar classed_char_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  const DecodedCodePoint decoded = decode_utf8(text, at);
  return {decoded.code_point, char_classes(decoded.code_point), decoded.length};
}

ClassedChar classed_char_before(std::string_view text, std::size_t end) {
  if (end == 0) return {};
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return classed_char_at(text.substr(0, end), at);
}

}  // namespace quire
