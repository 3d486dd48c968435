#include "runner/block_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace quire {
namespace {

// A token's vector in one head: numbers that name tensor, head, position and element.
std::vector<std::uint32_t> contiguous(std::size_t tensor, int heads, int length, int size) {
  std::vector<std::uint32_t> values;
  for (int head = 0; head < heads; ++head) {
    for (int position = 0; position < length; ++position) {
      for (int i = 0; i < size; ++i) {
        values.push_back(
            static_cast<std::uint32_t>(tensor) << 24U | static_cast<std::uint32_t>(head) << 16U |
            static_cast<std::uint32_t>(position) << 4U | static_cast<std::uint32_t>(i));
      }
    }
  }
  return values;
}

TEST(KvBlockStoreTest, WhatIsScatteredInAnyChunksIsGatheredWhole) {
  std::mt19937 random(3);
  const std::vector<KvBlockStore::Shape> shapes = {{2, 3 * 4}, {2, 3 * 4}, {1, 5 * 4}};
  for (int round = 0; round < 50; ++round) {
    const int block_size = 1 << (random() % 5);
    const int length = 1 + static_cast<int>(random() % 40);
    std::vector<std::int32_t> blocks;
    for (int i = 0; i * block_size < length; ++i) blocks.push_back(i);
    std::shuffle(blocks.begin(), blocks.end(), random);
    auto store = KvBlockStore::create(shapes, static_cast<int>(blocks.size()), block_size);
    ASSERT_TRUE(store);
    for (std::size_t tensor = 0; tensor < shapes.size(); ++tensor) {
      const int heads = shapes[tensor].num_heads;
      const auto size = static_cast<int>(shapes[tensor].head_bytes / 4);
      for (int begin = 0; begin < length;) {
        const int end = std::min(length, begin + 1 + static_cast<int>(random() % 9));
        const auto values = contiguous(tensor, heads, end, size);
        store->scatter(
            tensor, blocks, begin, end, reinterpret_cast<const std::byte*>(values.data()));
        begin = end;
      }
      std::vector<std::uint32_t> gathered(static_cast<std::size_t>(heads * length * size));
      store->gather(tensor, blocks, length, reinterpret_cast<std::byte*>(gathered.data()));
      ASSERT_EQ(gathered, contiguous(tensor, heads, length, size)) << "round " << round;
    }
  }
}

// S1: shapes whose bytes sum to 2^64 + 128 got a region of 8 KiB, and a step wrote far past it.
TEST(KvBlockStoreTest, SizesThatWrapAroundAreNoSmallStore) {
  const KvBlockStore::Shape huge{1 << 24, std::size_t{1} << 26U};  // 2^50 bytes a token
  std::vector<KvBlockStore::Shape> shapes(1024, huge);             // times 16: 2^64 a block
  shapes.push_back({64, 1024});
  EXPECT_EQ(KvBlockStore::bytes_per_block(shapes, 16).error().code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(KvBlockStore::create(shapes, 1, 16).error().code(), StatusCode::kResourceExhausted);
  const std::vector<KvBlockStore::Shape> one = {{1, (std::size_t{1} << 63U) + 1}};
  EXPECT_FALSE(KvBlockStore::bytes_per_block(one, 2)) << "one product wraps to 2";
  const std::vector<KvBlockStore::Shape> fits = {{1 << 10, std::size_t{1} << 26U}};
  ASSERT_TRUE(KvBlockStore::bytes_per_block(fits, 256));
  EXPECT_FALSE(KvBlockStore::create(fits, 1 << 20, 256)) << "2^64 bytes in all blocks";
}

TEST(TokenBlockStoreTest, TheMostBlocksOfTheLargestSizeHoldTheirIds) {
  auto store = TokenBlockStore::create(1 << 24, 256);
  ASSERT_TRUE(store) << store.error().message();
  const std::vector<std::int32_t> blocks = {(1 << 24) - 1, 0};
  const std::vector<TokenId> ids = {5, 6, 7};
  store->write({.blocks = blocks, .past = 254, .num_new = 3}, ids);
  EXPECT_EQ(store->read(blocks, 254), 5);
  EXPECT_EQ(store->read(blocks, 255), 6);
  EXPECT_EQ(store->read(blocks, 256), 7);
}

TEST(GroupByLengthTest, SequencesOfEqualLengthsGoTogetherAndKeepTheirRows) {
  const std::vector<std::int32_t> cumulative = {0, 1, 4, 5, 8};
  const std::vector<std::int32_t> past = {7, 0, 7, 0};
  const std::vector<std::int32_t> table = {0, 1, 2, -1, 3, 4, 5, -1};
  const std::vector<StepGroup> groups = group_by_length({.cumulative_sequence_lengths = cumulative,
                                                         .past_sequence_lengths = past,
                                                         .block_table = table,
                                                         .max_blocks = 2});
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].past, 0);
  EXPECT_EQ(groups[0].num_new, 3);
  ASSERT_EQ(groups[0].sequences.size(), 2U);
  EXPECT_EQ(groups[0].sequences[0].first_row, 1U);
  EXPECT_EQ(groups[0].sequences[1].first_row, 5U);
  EXPECT_EQ(groups[0].sequences[1].blocks[0], 5);
  EXPECT_EQ(groups[1].past, 7);
  EXPECT_EQ(groups[1].sequences[1].blocks[1], 4);
}

}  // namespace
}  // namespace quire
