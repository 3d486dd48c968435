#include "speculation/prompt_lookup.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire {
namespace {

constexpr double kCheap = 0.0;   // every guess is worth its row
constexpr double kUsual = 0.33;  // of one stream

std::vector<TokenId> ids_of(std::string_view text) { return {text.begin(), text.end()}; }

std::string guess_after(std::string_view text, int most) {
  PromptLookup lookup;
  const std::vector<TokenId> guess = lookup.propose(ids_of(text), most, kCheap);
  return {guess.begin(), guess.end()};
}

TEST(PromptLookupTest, WhatFollowedTheLastTokensBeforeIsTheGuess) {
  EXPECT_EQ(guess_after("the cat sat. the ", 3), "cat");
}

TEST(PromptLookupTest, TheLongestMatchCountsNotTheLatest) {
  EXPECT_EQ(guess_after("big red fox, old red hen, big red ", 3), "fox");
}

TEST(PromptLookupTest, TextWithoutARepetitionGetsNoGuess) {
  EXPECT_EQ(guess_after("abcdefgh", 4), "");
  EXPECT_EQ(guess_after("a", 4), "");
  EXPECT_EQ(guess_after("", 4), "");
}

TEST(PromptLookupTest, AGuessAtTheEndOfALoopGoesOnWithTheLoop) {
  EXPECT_EQ(guess_after("xyzxyz", 7), "xyzxyzx");
  EXPECT_EQ(guess_after("aaaa", 5), "aaaaa");
}

TEST(PromptLookupTest, NoMoreIsGuessedThanAskedFor) {
  EXPECT_EQ(guess_after("xyzxyz", 0), "");
  EXPECT_EQ(guess_after("xyzxyz", -1), "");
  EXPECT_EQ(guess_after("xyzxyz", 1), "x");
}

struct Saying {
  int num_steps = 0;
  int num_checked = 0;
  int num_right = 0;
};

// Feeds `text` as a model would say it: a step brings all right guesses and one token more.
Saying say(const std::vector<TokenId>& text, double break_even) {
  PromptLookup lookup;
  Saying said;
  std::size_t end = 4;
  while (end < text.size()) {
    ++said.num_steps;
    const auto guess = lookup.propose(std::span(text).first(end), 8, break_even);
    said.num_checked += static_cast<int>(guess.size());
    std::size_t right = 0;
    while (right < guess.size() && end + right < text.size() && guess[right] == text[end + right]) {
      ++right;
    }
    said.num_right += static_cast<int>(right);
    end += right + 1;
  }
  return said;
}

std::vector<TokenId> chance(std::uint64_t seed, int count, int num_ids) {
  std::mt19937_64 random(seed);
  std::vector<TokenId> text;
  for (int i = 0; i < count; ++i) {
    text.push_back(static_cast<TokenId>(random() % static_cast<std::uint64_t>(num_ids)));
  }
  return text;
}

TEST(PromptLookupTest, OnTextThatRepeatsItselfMostStepsAreSaved) {
  const std::vector<TokenId> paragraph = chance(1, 300, 1000);
  std::vector<TokenId> text = paragraph;
  text.insert(text.end(), paragraph.begin(), paragraph.end());
  const Saying run = say(text, kUsual);
  EXPECT_LT(run.num_steps, 300 + 60);
  EXPECT_LE(run.num_checked - run.num_right, 8);
}

TEST(PromptLookupTest, OnTextThatOnlySeemsToRepeatItselfGuessesStop) {
  // Pairs come again all the time, what follows them is chance.
  EXPECT_LT(say(chance(2, 4000, 8), kUsual).num_checked, 4000 / 25);
}

TEST(PromptLookupTest, GuessesBeginAgainWhenTheTextBeginsToRepeatItself) {
  std::vector<TokenId> text = chance(3, 2000, 8);
  const std::size_t end = text.size();
  for (std::size_t i = 0; i < 400; ++i) text.push_back(text[end - 200 + i]);
  EXPECT_GT(say(text, kUsual).num_right, 200);
}

TEST(PromptLookupTest, WhereARowCostsAsMuchAsItSavesOnlySureGuessesAreChecked) {
  const std::vector<TokenId> text = chance(4, 4000, 2);
  EXPECT_LT(say(text, 0.95).num_checked, say(text, 0.4).num_checked / 4);
}

}  // namespace
}  // namespace quire
