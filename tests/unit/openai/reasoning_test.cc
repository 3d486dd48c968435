#include "reasoning/reasoning.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "openai/prompt_start.h"
#include "support/byte_tokenizer.h"

namespace quire::openai {
namespace {

const ReasoningMarkers kThink{
    .open = "<think>", .close = "</think>", .open_id = 300, .close_id = 301};

TEST(ReasoningTest, ThoughtsAndAnswerAreToldApartHoweverTheTextIsCut) {
  // Whether the prompt has begun the thoughts, the text, the thoughts in it, the rest.
  const std::vector<std::tuple<bool, std::string, std::string, std::string>> cases = {
      {false, "plain <think>x</think>", "", "plain <think>x</think>"},
      {false, "<think>\nwhy\nnot \n</think>\n\n yes ", "why\nnot", "yes "},
      {false, " \n<think>a</think>b", "a", "b"},
      {false, "<think></think>b", "", "b"},
      {false, "<think>\n\n</think>\n\nb", "", "b"},
      {false, "<thin", "", "<thin"},
      {false, " \n", "", " \n"},
      {false, "<think>no end ", "no end", ""},
      {false, "<think>a </thin b</think>c</think>", "a </thin b", "c</think>"},
      {true, "why</think>yes", "why", "yes"},
      {true, "why", "why", ""},
      {true, "why </thi", "why </thi", ""},
      {true, "</think>", "", ""},
      {false, "", "", ""}};
  for (const auto& [inside, text, thoughts, said] : cases) {
    const SplitText whole = split_reasoning(&kThink, inside, text);
    EXPECT_EQ(whole.reasoning, thoughts) << text;
    EXPECT_EQ(whole.content, said) << text;
    for (std::size_t step = 1; step <= 3; ++step) {
      ReasoningSplitter splitter(&kThink, inside);
      SplitText sum;
      const auto add = [&sum](const SplitText& piece) {
        sum.reasoning += piece.reasoning;
        sum.content += piece.content;
      };
      for (std::size_t at = 0; at < text.size(); at += step) {
        add(splitter.feed(std::string_view(text).substr(at, step)));
      }
      add(splitter.finish());
      EXPECT_EQ(sum.reasoning, thoughts) << text << " by " << step;
      EXPECT_EQ(sum.content, said) << text << " by " << step;
    }
  }
}

TEST(ReasoningTest, WithoutMarkersEverythingIsSaid) {
  EXPECT_EQ(split_reasoning(nullptr, false, " <think>a</think>").content, " <think>a</think>");
}

TEST(ReasoningTest, TextIsNotHeldBackLongerThanItMayBeAMarker) {
  ReasoningSplitter splitter(&kThink, false);
  EXPECT_EQ(splitter.feed("<th").content, "");
  EXPECT_EQ(splitter.feed("e").content, "<the");
  EXPECT_EQ(splitter.feed("<think>").content, "<think>");
}

TEST(ReasoningTest, TokensAreCountedUpToTheClosingMarker) {
  const std::vector<TokenId> answer = {300, 1, 2, 301, 3};
  EXPECT_EQ(count_reasoning_tokens(kThink, false, answer), 4);
  EXPECT_EQ(count_reasoning_tokens(kThink, true, std::vector<TokenId>{1, 301, 3}), 2);
  EXPECT_EQ(count_reasoning_tokens(kThink, false, std::vector<TokenId>{300, 1}), 2);
  EXPECT_EQ(count_reasoning_tokens(kThink, false, std::vector<TokenId>{1, 2}), 0);
}

TEST(PromptStartTest, AnAnswerThatIdsAndTextTellDifferentlyIsNoBeginning) {
  const ByteTokenizer tokenizer;
  const EncodedConversation prompt{.text = "P", .ids = {'P'}};
  EXPECT_EQ(start_of_next(prompt, "ab", {'a', 'b'}, tokenizer).ids,
            (std::vector<TokenId>{'P', 'a', 'b'}));
  // As after a stop string, which is cut off the text and not off the ids.
  EXPECT_TRUE(start_of_next(prompt, "a", {'a', 'b'}, tokenizer).ids.empty());
}

}  // namespace
}  // namespace quire::openai
