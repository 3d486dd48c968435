#include "calculator/big_integer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>

namespace quire {
namespace {

BigInteger random_number(std::mt19937_64& random, int max_limbs) {
  BigInteger number;
  const BigInteger base(std::int64_t{1} << 32);
  const int num_limbs = static_cast<int>(random() % static_cast<unsigned>(max_limbs)) + 1;
  for (int i = 0; i < num_limbs; ++i) {
    // Limbs of all zeros and all ones are where carries and estimates go wrong.
    const std::uint64_t limb = random() % 4 == 0 ? 0xFFFFFFFFU * (random() % 2) : random() >> 32U;
    number = number * base + BigInteger(static_cast<std::int64_t>(limb));
  }
  return random() % 2 == 0 ? number.negated() : number;
}

TEST(BigIntegerTest, FloorDivisionLeavesARemainderSmallerThanTheDivisorAndOfItsSign) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const BigInteger a = random_number(random, 8);
    const BigInteger b = random_number(random, 4);
    if (b.is_zero()) continue;
    const BigInteger rest = a - a.floor_divide(b) * b;
    ASSERT_TRUE(rest.is_zero() || rest.is_negative() == b.is_negative())
        << a.to_string() << " // " << b.to_string();
    const BigInteger room = b.is_negative() ? rest - b : b - rest;
    ASSERT_FALSE(room.is_negative() || room.is_zero()) << a.to_string() << " // " << b.to_string();
  }
}

TEST(BigIntegerTest, DecimalDigitsReadBackAsTheSameNumber) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 2000; ++i) {
    const BigInteger number = random_number(random, 20);
    const std::string text = number.to_string();
    const BigInteger read = BigInteger::from_digits(text.substr(number.is_negative() ? 1 : 0), 10);
    ASSERT_EQ(number.is_negative() ? read.negated() : read, number);
  }
}

TEST(BigIntegerTest, TrueDivisionOfDoublesIsTheirQuotient) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 20000; ++i) {
    // Whole numbers that doubles hold exactly: the processor rounds their quotient correctly.
    const auto a = static_cast<std::int64_t>(random() >> (11U + random() % 50));
    const auto b = static_cast<std::int64_t>(random() >> (11U + random() % 50)) + 1;
    const double expected = static_cast<double>(a) / static_cast<double>(b);
    ASSERT_EQ(BigInteger(a).true_divide(BigInteger(b)), expected) << a << " / " << b;
    ASSERT_EQ(BigInteger(-a).true_divide(BigInteger(b)), -expected) << a << " / " << b;
  }
}

TEST(BigIntegerTest, TrueDivisionRoundsTinyQuotientsOnce) {
  const BigInteger ten_to_308 = BigInteger::from_digits("1" + std::string(308, '0'), 10);
  const auto tiny = [&](const char* text) {
    return BigInteger(1).true_divide(ten_to_308 * BigInteger::from_digits(text, 10));
  };
  EXPECT_EQ(tiny("1"), 1e-308);
  EXPECT_EQ(tiny("1000"), 1e-311);
  EXPECT_EQ(tiny("202402253307310"), 1 / 2.0240225330731e14 * 1e-308);
  EXPECT_EQ(tiny("100000000000000000"), 0.0);
  EXPECT_EQ(ten_to_308.true_divide(BigInteger(1)), 1e308);
  EXPECT_EQ((ten_to_308 * BigInteger(10)).to_double(), std::nullopt);
}

TEST(BigIntegerTest, TheNearestDoubleOfAHalfwayNumberIsTheEvenOne) {
  const std::int64_t two_to_53 = std::int64_t{1} << 53;
  EXPECT_EQ(BigInteger(two_to_53 + 1).to_double(), static_cast<double>(two_to_53));
  EXPECT_EQ(BigInteger(two_to_53 + 3).to_double(), static_cast<double>(two_to_53 + 4));
}

TEST(BigIntegerTest, NumbersThatFitComeBackAsInt64) {
  EXPECT_EQ(BigInteger(-5).to_int64(), -5);
  EXPECT_EQ(BigInteger(std::numeric_limits<std::int64_t>::max()).to_int64(),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ((BigInteger(std::numeric_limits<std::int64_t>::max()) + BigInteger(1)).to_int64(),
            std::nullopt);
}

}  // namespace
}  // namespace quire
