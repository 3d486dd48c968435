#include "tokenizer/split_pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/regex.h"

namespace quire {
namespace {

using Pieces = std::vector<std::string>;

Pieces split_with(const std::vector<SplitStep>& steps, std::string_view text) {
  PieceList list;
  EXPECT_TRUE(PreTokenizer({steps}).split(text, true, &list).ok());
  return {list.pieces.begin(), list.pieces.end()};
}

Pieces split_by(SplitPattern pattern, std::string_view text) {
  return split_with({{.kind = SplitStep::Kind::kPattern, .pattern = pattern}}, text);
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

TEST(PreTokenizerTest, EachBehaviorDealsWithMatchesInItsWay) {
  using Behavior = SplitStep::Behavior;
  SplitStep step{.kind = SplitStep::Kind::kLiteral, .literal = "-"};
  const auto pieces = [&](Behavior behavior, bool invert = false) {
    step.behavior = behavior;
    step.invert = invert;
    return split_with({step}, "-a--b-");
  };
  EXPECT_EQ(pieces(Behavior::kIsolated), (Pieces{"-", "a", "-", "-", "b", "-"}));
  EXPECT_EQ(pieces(Behavior::kRemoved), (Pieces{"a", "b"}));
  EXPECT_EQ(pieces(Behavior::kRemoved, true), (Pieces{"-", "-", "-", "-"}));
  EXPECT_EQ(pieces(Behavior::kMergedWithPrevious), (Pieces{"-", "a-", "-", "b-"}));
  EXPECT_EQ(pieces(Behavior::kMergedWithNext), (Pieces{"-a", "-", "-b", "-"}));
  EXPECT_EQ(pieces(Behavior::kContiguous), (Pieces{"-", "a", "--", "b", "-"}));
}

TEST(PreTokenizerTest, DigitsStandAloneOrTogether) {
  SplitStep step{.kind = SplitStep::Kind::kDigits};
  EXPECT_EQ(split_with({step}, "a12b"), (Pieces{"a", "1", "2", "b"}));
  step.join_digits = true;
  EXPECT_EQ(split_with({step}, "a12b"), (Pieces{"a", "12", "b"}));
}

TEST(PreTokenizerTest, EachPieceWithoutSpaceGetsOne) {
  const SplitStep byte_level{
      .kind = SplitStep::Kind::kByteLevel, .add_prefix_space = true, .split_by_gpt2 = true};
  const std::vector<SplitStep> steps = {{.kind = SplitStep::Kind::kDigits}, byte_level};
  EXPECT_EQ(split_with(steps, "a1 b"), (Pieces{" a", " 1", " b"}));
  EXPECT_EQ(split_with(steps, ""), Pieces());
}

TEST(PreTokenizerTest, StepsAfterByteLevelSeeItsAlphabet) {
  // The superscript two is the byte B2 of U+20B2 in that alphabet, and a digit.
  const std::vector<SplitStep> steps = {{.kind = SplitStep::Kind::kByteLevel},
                                        {.kind = SplitStep::Kind::kDigits}};
  EXPECT_EQ(split_with(steps, "\u20B2"), (Pieces{"\xE2\x82", "\xB2"}));
}

TEST(PreTokenizerTest, MetaspaceMarksSpacesAndBeginnings) {
  SplitStep step{.kind = SplitStep::Kind::kMetaspace, .literal = "_"};
  EXPECT_EQ(split_with({step}, "a  b"), (Pieces{"_a", "_", "_b"}));
  EXPECT_EQ(split_with({step}, " a"), (Pieces{"_a"}));
  step.split = false;
  EXPECT_EQ(split_with({step}, "a b"), (Pieces{"_a_b"}));
  step.prefix = SplitStep::Prefix::kFirst;
  PieceList list;
  EXPECT_TRUE(PreTokenizer({{step}}).split("a b", false, &list).ok());
  EXPECT_EQ(list.pieces, (std::vector<std::string_view>{"a_b"}));
}

TEST(RegexTest, FindsWhatTheReferencesEngineFinds) {
  const auto split_by_regex = [](std::string_view pattern, std::string_view text) {
    auto regex = Regex::compile(pattern);
    EXPECT_TRUE(regex) << regex.error().message();
    return split_with({{.kind = SplitStep::Kind::kRegex, .regex = *regex}}, text);
  };
  EXPECT_EQ(split_by_regex(R"(\p{N}{3})", "1234\u0661\u0662"), (Pieces{"123", "4\u0661\u0662"}));
  // Classes inside classes are one class; an empty match is a cut.
  EXPECT_EQ(split_by_regex("[^(\\s|[.,])]+", "a,b c"), (Pieces{"a", ",", "b", " ", "c"}));
  EXPECT_EQ(split_by_regex("[a-z&&[^c]]+", "abcd"), (Pieces{"ab", "c", "d"}));
  EXPECT_EQ(split_by_regex("[a-z&&[bc]]+", "abcd"), (Pieces{"a", "bc", "d"}));
  EXPECT_EQ(split_by_regex(R"((?=(?:\d{3})+(?!\d)))", "1234567"), (Pieces{"1", "234", "567"}));
}

TEST(RegexTest, RefusesWhatItWouldTakeForSomethingElse) {
  for (const char* pattern : {"[a&&b]",
                              "[a&&[b]&&[c]]",
                              "[^a&&[b]]",
                              "[a[^b]]",
                              "[[:al",
                              "[a\\",
                              "(",
                              "a{2,1}",
                              "\\C",
                              "[a"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex) << pattern;
    EXPECT_EQ(regex.error().code(), StatusCode::kBadModel);
  }
  EXPECT_FALSE(Regex::compile(std::string(10000, 'a')));
}

TEST(RegexTest, GivesUpOnATextThatTakesTooMuchWork) {
  const auto regex = Regex::compile("(a+)+$");
  ASSERT_TRUE(regex);
  const std::string text = std::string(5000, 'a') + "b";
  RegexSearch search(**regex, text);
  const auto match = search.next();
  ASSERT_FALSE(match);
  EXPECT_EQ(match.error().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quire
