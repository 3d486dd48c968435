#include "tokenizer/split_pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pre_tokenizer.h"

namespace quire {
namespace {

using Pieces = std::vector<std::string_view>;

Pieces split_by(SplitPattern pattern, std::string_view text) {
  SplitStep step;
  step.pattern = pattern;
  PreTokenizerRules rules;
  rules.steps.push_back(step);
  PieceList list;
  PreTokenizer(rules).split(text, &list);
  return list.pieces;
}

TEST(SplitPatternTest, Gpt2KeepsOneSpaceWithTheWordAfterIt) {
  EXPECT_EQ(split_by(SplitPattern::kGpt2, "I'm  12ab \n"),
            (Pieces{"I", "'m", " ", " 12", "ab", " \n"}));
  EXPECT_EQ(split_by(SplitPattern::kGpt2, "WE'RE"), (Pieces{"WE", "'", "RE"}));
}

TEST(SplitPatternTest, FamiliesDifferInTheirDigits) {
  EXPECT_EQ(split_by(SplitPattern::kLlama3, "1234567"), (Pieces{"123", "456", "7"}));
  EXPECT_EQ(split_by(SplitPattern::kNanochat, "12345"), (Pieces{"12", "34", "5"}));
  EXPECT_EQ(split_by(SplitPattern::kQwen2, "123"), (Pieces{"1", "2", "3"}));
}

TEST(SplitPatternTest, ContractionsIgnoreCaseAndKnowTheLongS) {
  EXPECT_EQ(split_by(SplitPattern::kLlama3, "IT'LL"), (Pieces{"IT", "'LL"}));
  EXPECT_EQ(split_by(SplitPattern::kLlama3, "a'\u017Fx"), (Pieces{"a", "'\u017F", "x"}));
}

TEST(SplitPatternTest, WhitespaceEndsAtItsLastLineBreak) {
  EXPECT_EQ(split_by(SplitPattern::kLlama3, " \n \n  a"), (Pieces{" \n \n", " ", " a"}));
  EXPECT_EQ(split_by(SplitPattern::kLlama3, "!!\n\nb"), (Pieces{"!!\n\n", "b"}));
}

TEST(SplitPatternTest, O200kSplitsWordsByCase) {
  EXPECT_EQ(split_by(SplitPattern::kO200k, "HTMLParser isOK"), (Pieces{"HTMLParser", " is", "OK"}));
  // Without a lower-case letter the last letter that has no case ends the word.
  EXPECT_EQ(split_by(SplitPattern::kO200k, "\u00AAAB"), (Pieces{"\u00AA", "AB"}));
}

TEST(SplitPatternTest, OnlyPublishedPatternsAreKnown) {
  EXPECT_TRUE(find_split_pattern(R"(\p{N}{1,3})"));
  EXPECT_EQ(find_split_pattern("[\r\n]"), find_split_pattern("[\\r\\n]"));
  EXPECT_FALSE(find_split_pattern(R"(\p{N}{1,4})"));
  EXPECT_FALSE(find_split_pattern(""));
}

TEST(PreTokenizerTest, WhatIsNotKeptIsGone) {
  SplitStep step;
  step.keep = SplitStep::Keep::kUnmatched;
  PieceList list;
  PreTokenizer({{step}, false, false}).split("a1b", &list);
  EXPECT_EQ(list.pieces, (Pieces{"a", "b"}));
  step.keep = SplitStep::Keep::kMatches;
  PreTokenizer({{step}, false, false}).split("a12b", &list);
  EXPECT_EQ(list.pieces, (Pieces{"1", "2"}));
  step.join_digits = true;
  PreTokenizer({{step}, false, false}).split("a12b", &list);
  EXPECT_EQ(list.pieces, (Pieces{"12"}));
}

TEST(PreTokenizerTest, EachPieceWithoutSpaceGetsOne) {
  PreTokenizerRules rules;
  rules.add_prefix_space = true;
  rules.split_by_gpt2 = true;
  rules.steps.emplace_back();
  PieceList list;
  PreTokenizer(rules).split("a1 b", &list);
  EXPECT_EQ(list.pieces, (Pieces{" a", " 1", " b"}));
  PreTokenizer(rules).split("", &list);
  EXPECT_TRUE(list.pieces.empty());
}

}  // namespace
}  // namespace quire
