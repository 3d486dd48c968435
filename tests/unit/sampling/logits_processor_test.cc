#include "sampling/logits_processor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace quire {
namespace {

std::vector<float> process(const SamplingParams& params,
                           std::vector<float> logits,
                           const std::vector<TokenId>& output = {},
                           const std::vector<TokenId>& prompt = {}) {
  TokenCounts counts;
  for (const TokenId id : output) ++counts.output[id];
  for (const TokenId id : prompt) ++counts.prompt[id];
  const std::vector<TokenId> eos = {0};
  process_logits(params, {.counts = &counts, .output_ids = output, .eos_ids = eos}, logits);
  return logits;
}

bool forbidden(float logit) { return std::isinf(logit) && logit < 0; }

TEST(LogitsProcessorTest, DefaultsChangeNothing) {
  const std::vector<float> logits = {1, -2, 3};
  EXPECT_EQ(process({}, logits, {1, 1}, {2}), logits);
}

TEST(LogitsProcessorTest, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogitsOnce) {
  const auto logits = process({.repetition_penalty = 2}, {4, -4, 4, 4}, {0, 0, 1}, {0, 2});
  EXPECT_EQ(logits, (std::vector<float>{2, -8, 2, 4}));
}

TEST(LogitsProcessorTest, FrequencyPenaltyCountsAndPresencePenaltyDoesNot) {
  const auto logits =
      process({.presence_penalty = 0.5, .frequency_penalty = 1}, {0, 0, 0}, {0, 0, 1}, {2});
  EXPECT_EQ(logits, (std::vector<float>{-2.5F, -1.5F, 0}));
}

TEST(LogitsProcessorTest, OnlyAllowedTokensStay) {
  const auto logits = process({.allowed_token_ids = {2, 2}}, {1, 2, 3});
  EXPECT_TRUE(forbidden(logits[0]));
  EXPECT_TRUE(forbidden(logits[1]));
  EXPECT_EQ(logits[2], 3);
}

TEST(LogitsProcessorTest, ABadWordIsForbiddenOnlyWhereItWouldBeCompleted) {
  const SamplingParams params{.bad_words = {{1, 2}, {3}}};
  EXPECT_TRUE(forbidden(process(params, {0, 0, 0, 0}, {1})[2]));
  EXPECT_FALSE(forbidden(process(params, {0, 0, 0, 0}, {2})[2]));
  EXPECT_FALSE(forbidden(process(params, {0, 0, 0, 0}, {})[2]));
  EXPECT_TRUE(forbidden(process(params, {0, 0, 0, 0}, {})[3]));
}

TEST(LogitsProcessorTest, TextsCannotEndBeforeTheirMinimum) {
  const SamplingParams params{.min_tokens = 2, .stop_token_ids = {1}};
  EXPECT_TRUE(forbidden(process(params, {0, 0, 0}, {2})[0]));
  EXPECT_TRUE(forbidden(process(params, {0, 0, 0}, {2})[1]));
  EXPECT_FALSE(forbidden(process(params, {0, 0, 0}, {2, 2})[0]));
}

TEST(LogitsProcessorTest, LogitBiasIsAdded) {
  EXPECT_EQ(process({.logit_bias = {{1, -2.5}}}, {1, 1}), (std::vector<float>{1, -1.5F}));
}

}  // namespace
}  // namespace quire
