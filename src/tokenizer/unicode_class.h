#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quire {

// Character classes of the reference's regular expressions, as bits that can be combined. The order
// is that of tools/generate_unicode_tables.py.
enum CharClass : std::uint32_t {
  kClassUpper = 1U << 0U,         // \p{Lu} and \p{Lt}
  kClassLower = 1U << 1U,         // \p{Ll}
  kClassOtherLetter = 1U << 2U,   // \p{Lm} and \p{Lo}
  kClassMark = 1U << 3U,          // \p{M}
  kClassNumber = 1U << 4U,        // \p{N}
  kClassPunctuation = 1U << 5U,   // \p{P}
  kClassSymbol = 1U << 6U,        // \p{S}
  kClassSpace = 1U << 7U,         // \s
  kClassWord = 1U << 8U,          // \w of the engine that matches added tokens
  kClassDigit = 1U << 9U,         // what the Digits pre-tokenizer splits off
  kClassOrderedMark = 1U << 10U,  // marks whose combining class NFC knows
  kClassLetter = kClassUpper | kClassLower | kClassOtherLetter,
};

// The classes of a code point; 0 for one that is in none of them or past U+10FFFF.
std::uint32_t char_classes(char32_t code_point);

// A code point of a text with its classes. `length` is 0 at the end of the text.
struct ClassedChar {
  char32_t code_point = 0;
  std::uint32_t classes = 0;
  std::size_t length = 0;

  [[nodiscard]] bool is(std::uint32_t wanted) const { return (classes & wanted) != 0; }
};

// Reads the code point at text[at]; the text must be well-formed UTF-8, `at` a boundary or its end.
ClassedChar classed_char_at(std::string_view text, std::size_t at);

// Reads the code point that ends at text[end - 1]; length 0 when `end` is 0.
ClassedChar classed_char_before(std::string_view text, std::size_t end);

}  // namespace quire
