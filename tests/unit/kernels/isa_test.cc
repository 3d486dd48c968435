#include "kernels/isa.h"

#include <gtest/gtest.h>

#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {
namespace {

TEST(IsaTest, APathCanBeForcedByItsName) {
  for (const Isa isa : supported_isas()) {
    const Result<Isa> chosen = choose_isa(isa_name(isa));
    ASSERT_TRUE(chosen) << chosen.error().message();
    EXPECT_EQ(*chosen, isa);
  }
}

TEST(IsaTest, WithoutAWishTheBestSupportedPathIsChosen) {
  EXPECT_EQ(*choose_isa(""), supported_isas().back());
}

TEST(IsaTest, AnUnknownNameIsAnErrorThatNamesTheKnownOnes) {
  for (const char* name : {"AVX2", "avx512vnni", "NEON", " "}) {
    const Result<Isa> chosen = choose_isa(name);
    EXPECT_EQ(chosen.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(chosen.error().message().find("portable, avx2, avx512 or amx"), std::string::npos);
  }
}

TEST(IsaTest, APathThisMachineLacksIsAnError) {
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512Vnni, Isa::kNeon, Isa::kNeonI8mm}) {
    EXPECT_EQ(choose_isa(isa_name(isa)).has_value(), isa_supported(isa));
  }
}

TEST(ExecutorTest, EveryItemRunsOnceAndWorkersNeverShareScratch) {
  for (const int threads : {1, 2, 7}) {
    ThreadedExecutor executor(threads);
    std::vector<int> done(100);
    std::vector<int> per_worker(static_cast<std::size_t>(num_workers(executor, 100)));
    for_each_item(executor, 100, [&](std::int64_t item, int worker) {
      done[static_cast<std::size_t>(item)] += 1;
      per_worker[static_cast<std::size_t>(worker)] += 1;  // a race if two workers share a number
    });
    EXPECT_EQ(done, std::vector<int>(100, 1));
    int sum = 0;
    for (const int count : per_worker) sum += count;
    EXPECT_EQ(sum, 100);
  }
}

TEST(WorkspaceTest, GrowsAndStaysAligned) {
  Workspace workspace;
  for (const std::size_t bytes : {0U, 1U, 100U, 50U, 100'000U}) {
    std::byte* memory = workspace.reserve(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0U);
    std::memset(memory, 1, bytes);
  }
  EXPECT_EQ(workspace.reserve(90'000), workspace.reserve(100'000));
}

}  // namespace
}  // namespace quire::kernels
