#include "base/checked_size.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace quire {
namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};

TEST(CheckedSizeTest, ASizeIsExactUpToTheLastByteAndNothingBeyondIt) {
  EXPECT_EQ(checked_product({std::uint64_t{1} << 32U, (std::uint64_t{1} << 32U) - 1}),
            kMost - 0xFFFFFFFFU);
  EXPECT_FALSE(checked_product({std::uint64_t{1} << 32U, std::uint64_t{1} << 32U}));
  EXPECT_FALSE(checked_product({kMost, 2})) << "wraps to something smaller";
  EXPECT_FALSE(checked_product({3, kMost / 2, 5}));
  EXPECT_EQ(checked_sum({kMost - 7, 7}), kMost);
  EXPECT_FALSE(checked_sum({kMost - 7, 4, 4}));
}

TEST(CheckedSizeTest, NothingMultipliedIsOneAndNothingAddedIsNothing) {
  EXPECT_EQ(checked_product({}), 1U);
  EXPECT_EQ(checked_sum({}), 0U);
  EXPECT_EQ(checked_product({kMost, 0}), 0U);
}

}  // namespace
}  // namespace quire
