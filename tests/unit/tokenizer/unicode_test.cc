#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/unicode_class.h"
#include "tokenizer/unicode_form.h"
#include "tokenizer/unicode_tables.h"

namespace quire {
namespace {

TrustedText normalize_nfc(const TrustedText& text) {
  return normalize_unicode(text, UnicodeForm::kNfc);
}

TEST(UnicodeClassTest, KnowsTheClassesOfKnownCharacters) {
  EXPECT_EQ(char_classes('A'), kClassUpper | kClassWord);
  EXPECT_EQ(char_classes('z'), kClassLower | kClassWord);
  EXPECT_EQ(char_classes('7'), kClassNumber | kClassWord | kClassDigit);
  EXPECT_EQ(char_classes('_'), kClassPunctuation | kClassWord);
  EXPECT_EQ(char_classes('$'), kClassSymbol);
  EXPECT_EQ(char_classes(0x3000), kClassSpace);
  EXPECT_EQ(char_classes(0x4E00), kClassOtherLetter | kClassWord);
  EXPECT_NE(char_classes(0x301) & kClassMark, 0U);
  EXPECT_EQ(char_classes(0x10FFFF), 0U);
  EXPECT_EQ(char_classes(0x110000), 0U);
}

TEST(UnicodeClassTest, EveryCodePointHasTheClassesOfItsRun) {
  std::size_t run = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    while (run + 1 < kUnicodeRuns.size() && kUnicodeRuns[run + 1] >> 11U <= c) ++run;
    ASSERT_EQ(char_classes(c), kUnicodeRuns[run] & 0x7FFU) << std::hex << std::size_t{c};
  }
}

TEST(UnicodeClassTest, ReadsBackwardsWhatItReadsForwards) {
  const std::string text = "a\u00E9\u65E5\U0001F642";
  std::size_t end = text.size();
  for (const char32_t want : {U'\U0001F642', U'\u65E5', U'\u00E9', U'a'}) {
    const ClassedChar c = classed_char_before(text, end);
    EXPECT_EQ(c.code_point, want);
    end -= c.length;
  }
  EXPECT_EQ(classed_char_before(text, 0).length, 0U);
  EXPECT_EQ(classed_char_at(text, text.size()).length, 0U);
}

TEST(ByteAlphabetTest, EveryByteHasItsOwnCharacter) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    EXPECT_EQ(bytes_of_alphabet(alphabet_of_bytes(bytes)), bytes);
  }
  EXPECT_EQ(alphabet_of_bytes(" \n"), "\u0120\u010A");
  EXPECT_FALSE(bytes_of_alphabet("a b"));
  EXPECT_FALSE(bytes_of_alphabet("\u65E5"));
}

TrustedText text_of(const std::vector<std::pair<std::string, bool>>& pieces) {
  TrustedText text;
  for (const auto& [piece, trusted] : pieces) text.append(piece, trusted);
  return text;
}

TEST(NfcTest, ComposesAndSortsMarks) {
  EXPECT_EQ(normalize_nfc(text_of({{"e\u0301", true}})).text, "\u00E9");
  EXPECT_EQ(normalize_nfc(text_of({{"a\u0301\u0323", true}})).text, "\u1EA1\u0301");
  EXPECT_EQ(normalize_nfc(text_of({{"\u1100\u1161\u11A8", true}})).text, "\uAC01");
  EXPECT_EQ(normalize_nfc(text_of({{"\u212A", true}})).text, "K");
  EXPECT_EQ(normalize_nfc(text_of({{"plain", true}})).text, "plain");
}

TEST(NfcTest, CharactersNewerThanTheReferenceCombineWithNothing) {
  EXPECT_EQ(normalize_nfc(text_of({{"a\u0898\u0301", true}})).text, "a\u0898\u0301");
  EXPECT_EQ(normalize_nfc(text_of({{"\U00011935\U00011930", true}})).text, "\U00011935\U00011930");
}

TEST(NfcTest, ACharacterIsTrustedOnlyWhenAllOfItWas) {
  const TrustedText text = normalize_nfc(text_of({{"xe", true}, {"\u0301", false}, {"y", true}}));
  EXPECT_EQ(text.text, "x\u00E9y");
  EXPECT_TRUE(text.is_trusted(0, 1));
  EXPECT_FALSE(text.is_trusted(1, 3));
  EXPECT_TRUE(text.is_trusted(3, 4));
}

TEST(NfcTest, TrustFollowsAsciiThroughNormalization) {
  const unsigned seed = 7;
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    // Upper case is trusted, lower case is not; accents are of the other kind at random.
    TrustedText text;
    for (int i = 0; i < 20; ++i) {
      const bool trusted = random() % 2 == 0;
      text.append(std::string(1, static_cast<char>((trusted ? 'A' : 'a') + random() % 26)),
                  trusted);
      if (random() % 4 == 0) text.append("\u0327", random() % 2 == 0);
    }
    const TrustedText out = normalize_nfc(text);
    for (std::size_t at = 0; at < out.text.size(); ++at) {
      const char c = out.text[at];
      if (c >= 'a' && c <= 'z') {
        EXPECT_FALSE(out.is_trusted(at, at + 1)) << "seed " << seed;
      }
    }
    for (std::size_t i = 1; i < out.trusted.size(); ++i) {
      EXPECT_LT(out.trusted[i - 1].end, out.trusted[i].begin) << "seed " << seed;
    }
  }
}

TEST(NfcTest, ALongRunOfMarksTakesNoQuadraticTime) {
  std::string marks = "a";
  for (int i = 0; i < 200000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(normalize_nfc(text_of({{marks, false}})).text.substr(0, 3), "\u1EA1");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(TrustedTextTest, SlicesKeepTheirTrust) {
  const TrustedText text = text_of({{"aa", true}, {"bb", false}, {"c", true}, {"d", true}});
  const TrustedText slice = text.slice(1, 5);
  EXPECT_EQ(slice.text, "abbc");
  EXPECT_TRUE(slice.is_trusted(0, 1));
  EXPECT_FALSE(slice.is_trusted(0, 2));
  EXPECT_TRUE(slice.is_trusted(3, 4));
  EXPECT_TRUE(text.is_trusted(4, 6)) << "adjacent trusted pieces are one";
}

}  // namespace
}  // namespace quire
