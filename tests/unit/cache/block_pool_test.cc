#include "cache/block_pool.h"

#include <gtest/gtest.h>

#include <vector>

namespace quire {
namespace {

TEST(BlockPoolTest, TakesTheLeastRecentlyFreedBlockFirst) {
  BlockPool pool(3);
  const BlockId a = pool.take();
  const BlockId b = pool.take();
  const BlockId c = pool.take();
  pool.release(b, /*findable=*/true);
  pool.release(a, /*findable=*/true);
  pool.release(c, /*findable=*/true);
  EXPECT_EQ(pool.take(), b);
  EXPECT_EQ(pool.take(), a);
  EXPECT_EQ(pool.take(), c);
}

TEST(BlockPoolTest, TakesABlockThatCannotBeFoundAgainBeforeOneThatCan) {
  BlockPool pool(2);
  const BlockId findable = pool.take();
  const BlockId blank = pool.take();
  pool.release(findable, /*findable=*/true);
  pool.release(blank, /*findable=*/false);
  EXPECT_EQ(pool.take(), blank);
}

TEST(BlockPoolTest, ASharedBlockIsFreeOnlyWhenItsLastHolderLetsGo) {
  BlockPool pool(1);
  const BlockId block = pool.take();
  pool.share(block);
  pool.release(block, /*findable=*/true);
  EXPECT_EQ(pool.num_free(), 0);
  pool.release(block, /*findable=*/true);
  EXPECT_EQ(pool.num_free(), 1);
}

TEST(BlockPoolTest, SharingAFreeBlockTakesItOutOfTheQueue) {
  BlockPool pool(2);
  const BlockId first = pool.front();
  pool.share(first);
  EXPECT_EQ(pool.num_free(), 1);
  EXPECT_NE(pool.take(), first);
}

TEST(BlockPoolTest, EachTakeBeginsANewGeneration) {
  BlockPool pool(1);
  const BlockId block = pool.take();
  const auto generation = pool.generation(block);
  pool.release(block, /*findable=*/true);
  pool.share(block);
  EXPECT_EQ(pool.generation(block), generation) << "a revived block still holds what it held";
  pool.release(block, /*findable=*/true);
  EXPECT_EQ(pool.take(), block);
  EXPECT_EQ(pool.generation(block), generation + 1);
}

TEST(BlockPoolDeathTest, FreeingABlockTwiceEndsTheProgram) {
  BlockPool pool(1);
  const BlockId block = pool.take();
  pool.release(block, /*findable=*/false);
  EXPECT_DEATH(pool.release(block, /*findable=*/false), "a block freed twice");
}

TEST(BlockPoolDeathTest, ABlockNumberOutsideThePoolEndsTheProgram) {
  BlockPool pool(1);
  EXPECT_DEATH(pool.share(1), "a block number outside the pool");
}

}  // namespace
}  // namespace quire
