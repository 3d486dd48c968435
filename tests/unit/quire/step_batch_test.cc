#include "quire/step_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace quire {
namespace {

template <typename T>
std::vector<T> copy(std::span<const T> values) {
  return {values.begin(), values.end()};
}

TEST(StepBatchTest, LaysSequencesOnOneAxisAsItsDrawingSays) {
  StepBatch batch;
  batch.add(std::vector<TokenId>{10, 11, 12}, 0, std::vector<std::int32_t>{4}, 1);
  batch.add(std::vector<TokenId>{20, 21, 22}, 2, std::vector<std::int32_t>{7, 5, 6}, 1);
  batch.add(std::vector<TokenId>{30, 31, 32}, 1, std::vector<std::int32_t>{1, 2}, 0);
  const ModelInput input = batch.input();
  EXPECT_EQ(copy(input.token_ids), (std::vector<TokenId>{10, 11, 12, 22, 31, 32}));
  EXPECT_EQ(copy(input.previous_ids), (std::vector<TokenId>{kNoToken, 10, 11, 21, 30, 31}));
  EXPECT_EQ(copy(input.cumulative_sequence_lengths), (std::vector<std::int32_t>{0, 3, 4, 6}));
  EXPECT_EQ(copy(input.past_sequence_lengths), (std::vector<std::int32_t>{0, 2, 1}));
  EXPECT_EQ(input.max_blocks, 3);
  EXPECT_EQ(copy(input.block_table), (std::vector<std::int32_t>{4, -1, -1, 7, 5, 6, 1, 2, -1}));
  EXPECT_EQ(copy(input.logits_indices), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(batch.num_logits(), 2);
}

TEST(StepBatchTest, UsedAgainItHoldsTheNewStepAlone) {
  StepBatch batch;
  batch.add(std::vector<TokenId>{1, 2, 3}, 0, std::vector<std::int32_t>{0, 1, 2}, 3);
  batch.clear();
  EXPECT_EQ(copy(batch.input().cumulative_sequence_lengths), std::vector<std::int32_t>{0});
  batch.add(std::vector<TokenId>{8}, 0, std::vector<std::int32_t>{9}, 1);
  const ModelInput input = batch.input();
  EXPECT_EQ(copy(input.token_ids), std::vector<TokenId>{8});
  EXPECT_EQ(copy(input.previous_ids), std::vector<TokenId>{kNoToken});
  EXPECT_EQ(copy(input.block_table), std::vector<std::int32_t>{9});
  EXPECT_EQ(copy(input.logits_indices), std::vector<std::int64_t>{0});
}

// Block tables of any widths in any order, held against a table made as wide as the widest at once.
TEST(StepBatchTest, ABlockTableIsAsWideAsItsLongestRowInWhateverOrderRowsCome) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  StepBatch batch;
  for (int round = 0; round < 200; ++round) {
    batch.clear();
    std::vector<std::vector<std::int32_t>> rows(1 + random() % 6);
    std::size_t widest = 0;
    for (auto& row : rows) {
      row.resize(1 + random() % 9);
      for (auto& block : row) block = static_cast<std::int32_t>(random() % 1000);
      widest = std::max(widest, row.size());
      batch.add(std::vector<TokenId>{1}, 0, row, 1);
    }
    std::vector<std::int32_t> wanted;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      wanted.insert(wanted.end(), rows[i].begin(), rows[i].end());
      wanted.resize((i + 1) * widest, -1);
    }
    ASSERT_EQ(copy(batch.input().block_table), wanted);
    ASSERT_EQ(batch.input().max_blocks, static_cast<int>(widest));
  }
}

}  // namespace
}  // namespace quire
