#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runner/kv_sizing.h"
#include "runner/paged_cache.h"
#include "support/fake_runner.h"

namespace quire {
namespace {

constexpr ModelSpec kSpec = {
    .vocab_size = 11, .max_seq_len = 20, .num_kv_blocks = 4, .block_size = 4};

TEST(FakeRunnerTest, ForwardGivesTheLogitsOfEveryPrefix) {
  FakeRunner runner(kSpec);
  const std::vector<TokenId> ids = {3, 1, 4, 1, 5};
  const auto logits = runner.forward(ids);
  ASSERT_TRUE(logits);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto expected = FakeRunner::expected_logits(std::span(ids).first(i + 1), 11);
    const std::vector<float> row(logits->begin() + static_cast<std::ptrdiff_t>(11 * i),
                                 logits->begin() + static_cast<std::ptrdiff_t>(11 * (i + 1)));
    EXPECT_EQ(row, expected);
  }
}

TEST(FakeRunnerTest, AWrongBlockTableChangesTheAnswer) {
  FakeRunner runner(kSpec);
  ASSERT_TRUE(runner.forward(std::vector<TokenId>{1, 2, 3, 4, 5}));
  const std::vector<TokenId> next = {6};
  const std::vector<std::int32_t> cumulative = {0, 1};
  const std::vector<std::int32_t> past = {5};
  const std::vector<std::int64_t> rows = {0};
  const auto run_with = [&](std::vector<std::int32_t> table, TokenId before) {
    const std::vector<TokenId> previous = {before};
    std::vector<float> logits;
    const Status status = runner.run({.token_ids = next,
                                      .previous_ids = previous,
                                      .cumulative_sequence_lengths = cumulative,
                                      .past_sequence_lengths = past,
                                      .block_table = table,
                                      .max_blocks = static_cast<int>(table.size()),
                                      .logits_indices = rows},
                                     &logits);
    EXPECT_TRUE(status.ok()) << status.message();
    return logits;
  };
  const auto expected = FakeRunner::expected_logits(std::vector<TokenId>{1, 2, 3, 4, 5, 6}, 11);
  EXPECT_EQ(run_with({0, 1}, 5), expected);
  EXPECT_NE(run_with({1, 0}, 1), expected);
}

TEST(FakeRunnerTest, AWrongPreviousTokenFails) {
  FakeRunner runner(kSpec);
  const std::vector<TokenId> ids = {3, 4};
  const std::vector<std::int32_t> cumulative = {0, 2};
  const std::vector<std::int32_t> past = {0};
  const std::vector<std::int32_t> table = {0};
  const std::vector<std::int64_t> rows = {1};
  const auto run_with = [&](std::vector<TokenId> previous) {
    std::vector<float> logits;
    return runner.run({.token_ids = ids,
                       .previous_ids = previous,
                       .cumulative_sequence_lengths = cumulative,
                       .past_sequence_lengths = past,
                       .block_table = table,
                       .max_blocks = 1,
                       .logits_indices = rows},
                      &logits);
  };
  EXPECT_TRUE(run_with({kNoToken, 3}).ok());
  EXPECT_FALSE(run_with({3, 3}).ok());
  EXPECT_FALSE(run_with({kNoToken, 4}).ok());
}

TEST(ModelRunnerTest, ForwardRefusesWhatTheModelCannotTake) {
  FakeRunner runner(kSpec);
  EXPECT_FALSE(runner.forward({}));
  EXPECT_FALSE(runner.forward(std::vector<TokenId>(17, 1))) << "more than the cache holds";
  EXPECT_FALSE(runner.forward(std::vector<TokenId>{11}));
  EXPECT_FALSE(runner.forward(std::vector<TokenId>{-1}));
}

TEST(KvSizingTest, TakesWhatWasAskedFor) {
  EXPECT_EQ(choose_num_kv_blocks({.requested_blocks = 7, .bytes_per_block = 1}), 7);
}

TEST(KvSizingTest, TakesNoMoreThanTheSequencesCanUse) {
  EXPECT_EQ(choose_num_kv_blocks({.bytes_per_block = 1,
                                  .available_bytes = 1 << 30,
                                  .max_num_seqs = 2,
                                  .max_seq_len = 33,
                                  .block_size = 16}),
            6);
}

TEST(KvSizingTest, TakesAQuarterOfTheMemoryThatIsFree) {
  EXPECT_EQ(choose_num_kv_blocks({.bytes_per_block = 10,
                                  .available_bytes = 400,
                                  .max_num_seqs = 100,
                                  .max_seq_len = 32,
                                  .block_size = 16}),
            10);
}

// S1: a product that wraps is more than any memory and not a little of it.
TEST(KvSizingTest, ACacheWhoseBytesWrapAroundDoesNotFit) {
  constexpr std::uint64_t kFree = std::uint64_t{1} << 40U;
  EXPECT_EQ(check_cache_fits((std::uint64_t{1} << 63U) + 1, 2, kFree).error().code(),
            StatusCode::kResourceExhausted);
  EXPECT_FALSE(check_cache_fits(std::uint64_t{1} << 48U, 1 << 16, kFree)) << "2^64 is 0";
  const auto fits = check_cache_fits(1 << 20, 4, 4 << 20);
  ASSERT_TRUE(fits);
  EXPECT_EQ(*fits, 4U << 20U);
  EXPECT_FALSE(check_cache_fits(1 << 20, 4, (4 << 20) - 1));
}

TEST(PagedCacheTest, LayersWhoseBytesWrapAroundAreRefusedAndNotLaidOut) {
  ModelPackage package;
  package.max_seq_len = 1;
  // The most heads of the largest size, the largest blocks, the most of them.
  for (const std::size_t num_layers : {1U, 132U, 264U, 33000U}) {
    package.cache_layers.assign(num_layers, {.num_kv_heads = 4096, .head_dim = 1024});
    const auto cache = PagedCache::allocate(package, {.num_kv_blocks = 1 << 24, .block_size = 256});
    ASSERT_FALSE(cache) << num_layers;
    EXPECT_EQ(cache.error().code(), StatusCode::kResourceExhausted);
  }
}

TEST(KvSizingTest, TakesAlwaysEnoughForOneSequence) {
  EXPECT_EQ(choose_num_kv_blocks({.bytes_per_block = 1000,
                                  .available_bytes = 10,
                                  .max_num_seqs = 1,
                                  .max_seq_len = 100,
                                  .block_size = 16}),
            7);
}

}  // namespace
}  // namespace quire
