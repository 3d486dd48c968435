#include "speculation/step_cost.h"

#include <gtest/gtest.h>

#include <random>

namespace quire {
namespace {

TEST(StepCostTest, BeforeAnythingIsKnownOneStreamMayGuessAndACrowdHardly) {
  const StepCost cost;
  EXPECT_NEAR(cost.break_even(1), 1.0 / 3, 1e-9);
  EXPECT_GT(cost.break_even(32), 0.9);
}

TEST(StepCostTest, TheFixedPartOfAStepIsFoundBehindTheNoise) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> noise(-0.3, 0.3);
  StepCost cost;
  for (int i = 0; i < 100; ++i) cost.record(1 + i % 8, 9 + 1 * (1 + i % 8) + noise(random));
  EXPECT_NEAR(cost.break_even(1), 0.1, 0.03);
}

TEST(StepCostTest, WhereEachRowCostsAWholeStepGuessesMustBeSure) {
  StepCost cost;
  for (int i = 0; i < 100; ++i) cost.record(1 + i % 4, 5.0 * (1 + i % 4));
  EXPECT_NEAR(cost.break_even(1), 1, 1e-6);
}

TEST(StepCostTest, StepsOfOneSizeOrWithoutTimeTellNothing) {
  StepCost same_size;
  StepCost no_time;
  for (int i = 0; i < 100; ++i) {
    same_size.record(1, i % 7);
    no_time.record(1 + i % 4, 0);
  }
  EXPECT_NEAR(same_size.break_even(1), 1.0 / 3, 1e-9);
  EXPECT_NEAR(no_time.break_even(1), 1.0 / 3, 1e-9);
}

TEST(StepCostTest, RowsThatSeemFreeStillHaveAPrice) {
  StepCost cost;
  for (int i = 0; i < 100; ++i) cost.record(1 + i % 4, 10 - i % 4);
  EXPECT_GT(cost.break_even(1), 0.04);
}

}  // namespace
}  // namespace quire
