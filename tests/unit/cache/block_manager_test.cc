#include "cache/block_manager.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace quire {
namespace {

constexpr int kBlockSize = 4;

std::vector<TokenId> count_up(int length, TokenId first = 0) {
  std::vector<TokenId> tokens(static_cast<std::size_t>(length));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

BlockManager make_manager(int num_blocks) {
  return BlockManager({.num_blocks = num_blocks, .block_size = kBlockSize, .hash_seed = 1});
}

// A sequence's whole life: cached blocks, the rest, computed, published.
BlockTable compute(BlockManager& manager,
                   const std::vector<TokenId>& tokens,
                   const char* salt = "") {
  BlockTable table;
  manager.allocate_cached(tokens, salt, &table);
  EXPECT_TRUE(manager.append(static_cast<int>(tokens.size()), &table));
  manager.publish(tokens, static_cast<int>(tokens.size()), salt, &table);
  return table;
}

TEST(BlockManagerTest, AFailedAppendLeavesTableAndPoolUnchanged) {
  BlockManager manager = make_manager(2);
  BlockTable table;
  ASSERT_TRUE(manager.append(4, &table));
  const BlockTable before = table;
  EXPECT_FALSE(manager.append(13, &table));
  EXPECT_EQ(table.blocks, before.blocks);
  EXPECT_EQ(manager.num_free_blocks(), 1);
}

TEST(BlockManagerTest, ALaterPromptFindsTheFullBlocksOfAFinishedOne) {
  BlockManager manager = make_manager(8);
  BlockTable first = compute(manager, count_up(10));
  const std::vector<BlockId> blocks = first.blocks;
  manager.free(&first);

  BlockTable second;
  EXPECT_EQ(manager.allocate_cached(count_up(12), "", &second), 8);
  EXPECT_EQ(second.blocks, std::vector<BlockId>(blocks.begin(), blocks.begin() + 2));
}

TEST(BlockManagerTest, APromptSharesTheBlocksOfARunningOne) {
  BlockManager manager = make_manager(8);
  const BlockTable running = compute(manager, count_up(9));
  BlockTable second;
  EXPECT_EQ(manager.allocate_cached(count_up(9), "", &second), 8);
  EXPECT_EQ(manager.pool().ref_count(running.blocks[0]), 2);
}

TEST(BlockManagerTest, TheLastTokenIsNeverCachedSoThatThereIsSomethingToCompute) {
  BlockManager manager = make_manager(8);
  compute(manager, count_up(8));
  BlockTable table;
  EXPECT_EQ(manager.allocate_cached(count_up(8), "", &table), 4);
}

TEST(BlockManagerTest, ADifferentSaltSharesNothing) {
  BlockManager manager = make_manager(8);
  compute(manager, count_up(8), "alice");
  BlockTable table;
  EXPECT_EQ(manager.allocate_cached(count_up(9), "bob", &table), 0);
  EXPECT_EQ(manager.allocate_cached(count_up(9), "alice", &table), 8);
}

TEST(BlockManagerTest, WithoutThePrefixCacheNothingIsEverFound) {
  BlockManager manager({.num_blocks = 8, .block_size = kBlockSize, .prefix_cache = false});
  compute(manager, count_up(8));
  BlockTable table;
  EXPECT_EQ(manager.allocate_cached(count_up(9), "", &table), 0);
}

// Two sequences that compute the same prompt side by side end up with one copy of it.
TEST(BlockManagerTest, EqualBlocksComputedTwiceBecomeOne) {
  BlockManager manager = make_manager(8);
  const std::vector<TokenId> tokens = count_up(8);
  BlockTable a;
  BlockTable b;
  ASSERT_TRUE(manager.append(8, &a));
  ASSERT_TRUE(manager.append(8, &b));
  manager.publish(tokens, 8, "", &a);
  manager.publish(tokens, 8, "", &b);
  EXPECT_EQ(a.blocks, b.blocks);
  EXPECT_EQ(manager.num_used_blocks(), 2);
}

// parent [0..3] is evicted and its block reused; the child [4..7] is still in the index, but what
// stood before it is gone.
TEST(BlockManagerTest, ABlockIsNotFoundOnceItsParentWasReused) {
  BlockManager manager = make_manager(2);
  BlockTable table = compute(manager, count_up(8));
  const BlockId child = table.blocks[1];
  manager.free(&table);  // the child's block is freed first, so it is also taken first
  BlockTable other;
  ASSERT_TRUE(manager.append(4, &other));
  EXPECT_EQ(other.blocks[0], child);
  manager.free(&other);
  BlockTable again;
  EXPECT_EQ(manager.allocate_cached(count_up(9), "", &again), 4) << "only the parent is left";
}

TEST(BlockManagerTest, EvictionsAreCounted) {
  BlockManager manager = make_manager(1);
  BlockTable table = compute(manager, count_up(4));
  manager.free(&table);
  ASSERT_TRUE(manager.append(4, &table));
  EXPECT_EQ(manager.stats().num_evictions, 1);
}

// What a block holds, by brute force: the salt and all tokens up to its end.
using Contents = std::pair<std::string, std::vector<TokenId>>;

// Random prompts over few tokens, so that beginnings repeat, against a record of what each block
// holds. With `hash_bits` = 8 nearly every hash collides, and still nothing wrong may be found.
void run_random_prompts(std::uint64_t seed, int hash_bits) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto pick = [&random](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  BlockManager manager(
      {.num_blocks = 12, .block_size = kBlockSize, .hash_seed = seed, .hash_bits = hash_bits});
  std::map<BlockId, Contents> contents;
  std::vector<BlockTable> live;
  for (int step = 0; step < 200; ++step) {
    if (live.size() == 3 || (!live.empty() && pick(0, 2) == 0)) {
      const auto victim = static_cast<std::size_t>(pick(0, static_cast<int>(live.size()) - 1));
      manager.free(&live[victim]);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(victim));
      continue;
    }
    std::vector<TokenId> tokens(static_cast<std::size_t>(pick(1, 16)));
    for (TokenId& token : tokens) token = pick(0, 1);
    const std::string salt = pick(0, 1) == 0 ? "" : "s";
    BlockTable table;
    const int num_cached = manager.allocate_cached(tokens, salt, &table);
    ASSERT_LT(num_cached, static_cast<int>(tokens.size()));
    for (std::size_t i = 0; i < table.blocks.size(); ++i) {
      const auto end = tokens.begin() + static_cast<std::ptrdiff_t>((i + 1) * kBlockSize);
      ASSERT_EQ(contents[table.blocks[i]], Contents(salt, {tokens.begin(), end}));
    }
    if (!manager.append(static_cast<int>(tokens.size()), &table)) {
      manager.free(&table);
      continue;
    }
    for (std::size_t i = table.keys.size(); i < table.blocks.size(); ++i) {
      const auto size = std::min((i + 1) * kBlockSize, tokens.size());
      contents[table.blocks[i]] = {
          salt, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(size)}};
    }
    manager.publish(tokens, static_cast<int>(tokens.size()), salt, &table);
    live.push_back(std::move(table));
  }
  for (BlockTable& table : live) manager.free(&table);
  EXPECT_EQ(manager.num_free_blocks(), 12);
}

TEST(BlockManagerPropertyTest, WhatIsFoundHoldsExactlyTheTokensLookedFor) {
  for (std::uint64_t seed = 1; seed <= 300 && !testing::Test::HasFatalFailure(); ++seed) {
    run_random_prompts(seed, 128);
  }
}

TEST(BlockManagerPropertyTest, HashesThatCollideNeverMixContents) {
  for (std::uint64_t seed = 1; seed <= 300 && !testing::Test::HasFatalFailure(); ++seed) {
    run_random_prompts(seed, 2);
  }
}

}  // namespace
}  // namespace quire
