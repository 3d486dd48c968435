#include "quire/printable.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "quire/status.h"

namespace quire {
namespace {

TEST(PrintableTest, NothingThatSteersATerminalOrForgesALineIsLeft) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\x1b]0;title\x07\x1b[2J", R"(\x1b]0;title\x07\x1b[2J)"},
      {"a\nb\rc\td", R"(a\nb\rc\td)"},
      {std::string("a\0b", 3), R"(a\x00b)"},
      {"\x7f", R"(\x7f)"},
      {"\u009b31m", R"(\u009b31m)"},                    // CSI of C1, as UTF-8
      {"\u0080\u0085\u009f", R"(\u0080\u0085\u009f)"},  // NEL is a line end
      {"\x9b"
       "31m",
       R"(\x9b31m)"},                       // the same as a terminal of Latin-1 takes it
      {"\xE0\x82\x9b", R"(\xe0\x82\x9b)"},  // and spelled too long
      {"\xC2", R"(\xc2)"},
      {"\u2028\u2029", R"(\u2028\u2029)"},
      {"gpj.\u202Eexe\u2066", R"(gpj.\u202eexe\u2066)"},
      {"\xED\xA0\x80\xF4\x90\x80\x80", R"(\xed\xa0\x80\xf4\x90\x80\x80)"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(printable(text), expected);
}

TEST(PrintableTest, WhatShowsAsItselfStays) {
  const std::string text = "quire: \u00a0\u00e9\u4e2d\U0001F600 C:\\x1b \"~\"";
  EXPECT_EQ(printable(text), text);
  EXPECT_EQ(printable(printable("\x1b\n")), printable("\x1b\n"));
}

TEST(PrintableTest, AnAnswerKeepsItsLinesAndItsDirectionMarks) {
  EXPECT_EQ(printable_lines("a\n\tb\u200f\x1b[2J\u009b"), "a\n\tb\u200f\\x1b[2J\\u009b");
}

TEST(PrintableTest, EveryKindOfMessageIsPrintable) {
  for (const auto make : {invalid_argument,
                          bad_model,
                          not_found,
                          resource_exhausted,
                          unimplemented,
                          internal_error}) {
    EXPECT_EQ(make("a\u009bb\n").message(), R"(a\u009bb\n)");
  }
}

}  // namespace
}  // namespace quire
