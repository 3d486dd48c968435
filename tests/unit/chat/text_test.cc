#include "chat/text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace quire::chat {
namespace {

// Upper-case letters are trusted, the rest is not.
Text text_of(const std::string& bytes) {
  Text text;
  for (const char c : bytes) text.append(std::string(1, c), c >= 'A' && c <= 'Z');
  return text;
}

std::vector<std::string> bytes_of(const std::vector<Text>& texts) {
  std::vector<std::string> out;
  for (const Text& text : texts) out.push_back(text.bytes);
  return out;
}

using Strings = std::vector<std::string>;

TEST(TextTest, StripsPythonsWhitespaceOrGivenCharacters) {
  EXPECT_EQ(strip(text_of(" \t\u3000a \x1c"), Side::kBoth, std::nullopt).bytes, "a");
  EXPECT_EQ(strip(text_of(" a "), Side::kLeft, std::nullopt).bytes, "a ");
  EXPECT_EQ(strip(text_of("xyaxy"), Side::kRight, "yx").bytes, "xya");
}

TEST(TextTest, SplitsAsPythonDoes) {
  EXPECT_EQ(bytes_of(split(text_of(" a  b "), std::nullopt, -1)), (Strings{"a", "b"}));
  EXPECT_EQ(bytes_of(split(text_of(" a  b c "), std::nullopt, 1)), (Strings{"a", "b c"}));
  EXPECT_EQ(bytes_of(split(text_of("a,,b"), ",", -1)), (Strings{"a", "", "b"}));
  EXPECT_EQ(bytes_of(split_from_right(text_of("a,b,c"), ",", 1)), (Strings{"a,b", "c"}));
  EXPECT_EQ(bytes_of(split_lines(text_of("a\r\nb\n\nc"))), (Strings{"a", "b", "", "c"}));
}

TEST(TextTest, AReplacementIsTrustedOnlyWithWhatItReplaces) {
  const Text out = replace(text_of("AxX"), "x", Text("!", true), -1);
  EXPECT_EQ(out.bytes, "A!X");
  EXPECT_EQ(out.marks, "+-+");
  EXPECT_EQ(replace(text_of("AXA"), "X", Text("!", true), -1).marks, "+++");
}

TEST(TextTest, OperationsKeepAMarkForEveryByteAndInventNoTrust) {
  const unsigned seed = 3;
  std::mt19937 random(seed);
  const Strings pieces = {"A", "b", " ", "\n", "\u00E9", "\u00DF", "\u65E5", ",", "Z", "\u0130"};
  const auto check = [&](const Text& text) {
    ASSERT_EQ(text.bytes.size(), text.marks.size()) << "seed " << seed;
    ASSERT_EQ(find_invalid_utf8(text.bytes), std::string::npos) << "seed " << seed;
    for (std::size_t i = 0; i < text.size(); ++i) {
      // Only upper-case ASCII was trusted, so only letters can be.
      const char c = text.bytes[i];
      const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
      if (text.marks[i] == Text::kTrusted) {
        ASSERT_TRUE(letter) << "seed " << seed;
      }
    }
  };
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    for (int i = 0; i < 12; ++i) bytes += pieces[random() % pieces.size()];
    const Text text = text_of(bytes);
    for (const LetterCase wanted : {LetterCase::kUpper, LetterCase::kLower, LetterCase::kTitle}) {
      check(change_case(text, wanted));
    }
    check(strip(text, Side::kBoth, std::nullopt));
    check(replace(text, "A", Text("\u65E5", false), -1));
    for (const Text& part : split(text, ",", -1)) check(part);
    for (const Text& part : split_lines(text)) check(part);
  }
}

TEST(TextTest, CaseFollowsUnicode) {
  EXPECT_EQ(change_case(text_of("stra\u00DFe"), LetterCase::kUpper).bytes, "STRASSE");
  EXPECT_EQ(change_case(text_of("\u00C9A b"), LetterCase::kLower).bytes, "\u00E9a b");
  EXPECT_EQ(change_case(text_of("hELLO wORLD"), LetterCase::kTitle).bytes, "Hello World");
  EXPECT_EQ(change_case(text_of("hELLO wORLD"), LetterCase::kCapitalized).bytes, "Hello world");
}

}  // namespace
}  // namespace quire::chat
