#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sampling/random.h"

namespace quire {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

TEST(SamplerTest, GreedyTakesTheFirstOfEqualBest) {
  const std::vector<float> logits = {1, 3, 3, 2};
  EXPECT_EQ(*sample({}, {}, logits), 1);
}

TEST(SamplerTest, ANanAnywhereIsAnError) {
  for (const double temperature : {0.0, 1.0}) {
    const std::vector<float> logits = {1, 2, kNan, 0};
    EXPECT_EQ(sample({.temperature = temperature}, {}, logits).error().code(),
              StatusCode::kInternal);
  }
}

TEST(SamplerTest, NothingLeftToChooseFromIsAnError) {
  const std::vector<float> logits = {kMinusInfinity, kMinusInfinity};
  EXPECT_FALSE(sample({}, {}, logits));
}

TEST(SamplerTest, ForbiddenTokensAreNeverDrawn) {
  const std::vector<float> logits = {0, kMinusInfinity, 0};
  for (std::uint64_t position = 0; position < 1000; ++position) {
    EXPECT_NE(*sample({.temperature = 5}, {.seed = 3, .position = position}, logits), 1);
  }
}

TEST(SamplerTest, TopKOfOneIsGreedyAtAnyTemperature) {
  const std::vector<float> logits = {1, 1.01F, 0.99F};
  for (std::uint64_t position = 0; position < 100; ++position) {
    EXPECT_EQ(*sample({.temperature = 5, .top_k = 1}, {.seed = 9, .position = position}, logits),
              1);
  }
}

TEST(SamplerTest, TheDrawDependsOnSeedSampleAndPositionOnly) {
  std::vector<float> logits(50, 0.0F);
  const SamplingParams params{.temperature = 1};
  const TokenId token = *sample(params, {.seed = 1, .sample = 2, .position = 3}, logits);
  EXPECT_EQ(*sample(params, {.seed = 1, .sample = 2, .position = 3}, logits), token);
  int num_different = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    num_different += *sample(params, {.seed = i, .sample = 2, .position = 3}, logits) != token;
  }
  EXPECT_GT(num_different, 10);
}

// The probabilities a token should be drawn with, written down a second time in the plainest way.
std::map<TokenId, double> expected_distribution(const SamplingParams& params,
                                                const std::vector<float>& logits) {
  std::vector<std::pair<double, TokenId>> sorted;
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double p = std::exp(static_cast<double>(logits[i]) / params.temperature);
    sorted.emplace_back(p, static_cast<TokenId>(i));
    sum += p;
  }
  std::ranges::sort(sorted, std::greater<>());
  const double floor = params.min_p * sorted.front().first;
  std::erase_if(sorted, [floor](const auto& entry) { return entry.first < floor; });
  if (params.top_k > 0 && sorted.size() > static_cast<std::size_t>(params.top_k)) {
    sorted.resize(static_cast<std::size_t>(params.top_k));
  }
  sum = 0;
  for (const auto& [p, id] : sorted) sum += p;
  double before = 0;
  std::map<TokenId, double> kept;
  double kept_sum = 0;
  for (const auto& [p, id] : sorted) {
    if (before < params.top_p * sum) {
      kept[id] = p;
      kept_sum += p;
    }
    before += p;
  }
  for (auto& [id, p] : kept) p /= kept_sum;
  return kept;
}

TEST(SamplerPropertyTest, DrawsFollowTheTruncatedDistribution) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal(0, 2);
    std::vector<float> logits(12);
    for (float& logit : logits) logit = normal(random);
    SamplingParams params{.temperature = 0.5 + 0.1 * static_cast<double>(seed % 10)};
    if (seed % 2 == 0) params.top_k = 5;
    if (seed % 3 == 0) params.top_p = 0.8;
    if (seed % 5 == 0) params.min_p = 0.1;
    std::map<TokenId, int> counts;
    constexpr int kDraws = 20000;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      ++counts[*sample(params, {.seed = seed, .position = i}, logits)];
    }
    const auto expected = expected_distribution(params, logits);
    for (const auto& [id, count] : counts) {
      ASSERT_TRUE(expected.contains(id)) << "token " << id << " should have been cut off";
    }
    for (const auto& [id, p] : expected) {
      const double deviation = std::sqrt(p * (1 - p) / kDraws);
      EXPECT_NEAR(static_cast<double>(counts[id]) / kDraws, p, 5 * deviation + 1e-4);
    }
  }
}

TEST(LogprobsTest, EqualTheLogarithmOfSoftmax) {
  const std::vector<float> logits = {1, 2, 3, -1};
  const TokenLogprobs result = compute_logprobs(logits, 1, 2);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  EXPECT_NEAR(result.logprob, 2 - std::log(sum), 1e-6);
  ASSERT_EQ(result.top.size(), 2U);
  EXPECT_EQ(result.top[0].first, 2);
  EXPECT_EQ(result.top[1].first, 1);
}

TEST(RandomTest, NumbersLieInTheUnitIntervalAndAreSpreadEvenly) {
  double sum = 0;
  constexpr int kCount = 20000;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double number = uniform_at(42, 0, i);
    ASSERT_GE(number, 0);
    ASSERT_LT(number, 1);
    sum += number;
  }
  EXPECT_NEAR(sum / kCount, 0.5, 0.01);
}

// The first known-answer vector of the Philox 4x32-10 reference: counter and key all zero give
// 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
TEST(RandomTest, IsPhiloxWithTenRounds) {
  const std::uint64_t bits = (std::uint64_t{0x6627e8d5} << 21U) ^ (0xe169c58dU >> 11U);
  EXPECT_EQ(uniform_at(0, 0, 0), static_cast<double>(bits) * 0x1.0p-53);
}

}  // namespace
}  // namespace quire
