#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "package/model_package.h"
#include "runner/graph/graph_runner.h"

// Every allocation of this program is counted here, on whatever thread.
namespace {

std::atomic<long> g_num_allocations = 0;
std::atomic<bool> g_fail = false;

void* allocate(std::size_t size) {
  if (g_fail) throw std::bad_alloc();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  ++g_num_allocations;
  return memory;
}

void* allocate_aligned(std::size_t size, std::size_t alignment) {
  if (g_fail) throw std::bad_alloc();
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  ++g_num_allocations;
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_aligned(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_aligned(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace quire {
namespace {

// Two sequences that decode side by side, one token a step.
class Decoding {
 public:
  Decoding() {
    const auto package = open_package(std::string(QUIRE_TEST_DATA) + "/contract/paged");
    EXPECT_TRUE(package) << package.error().message();
    auto runner = graph::open_graph_runner(*package, {.num_threads = 3, .num_kv_blocks = 20});
    EXPECT_TRUE(runner) << runner.error().message();
    runner_ = *std::move(runner);
  }

  Status step() {
    past_[0] = past_[1] = position_++;
    const std::vector<std::int32_t>& table = table_;
    return runner_->run({.token_ids = ids_,
                         .previous_ids = ids_,
                         .cumulative_sequence_lengths = cumulative_,
                         .past_sequence_lengths = past_,
                         .block_table = table,
                         .max_blocks = 7,
                         .logits_indices = rows_},
                        &logits_);
  }

  const std::vector<float>& logits() const { return logits_; }
  void rewind() { position_ = 0; }
  void set_rows(std::vector<std::int64_t> rows) { rows_ = std::move(rows); }

 private:
  std::unique_ptr<ModelRunner> runner_;
  std::int32_t position_ = 0;
  std::vector<TokenId> ids_ = {3, 5};
  std::vector<std::int32_t> cumulative_ = {0, 1, 2};
  std::vector<std::int32_t> past_ = {0, 0};
  std::vector<std::int32_t> table_ = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
  std::vector<std::int64_t> rows_ = {0, 1};
  std::vector<float> logits_;
};

TEST(SteadyStepTest, AStepInAShapeThatWasSeenBeforeAllocatesNothing) {
  Decoding decoding;
  ASSERT_TRUE(decoding.step().ok());
  const long before = g_num_allocations;
  for (int i = 0; i < 60; ++i) {
    const Status status = decoding.step();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  EXPECT_EQ(g_num_allocations - before, 0);
}

TEST(SteadyStepTest, AStepWithoutMemoryFailsAsResourceExhaustedAndTheNextOneWorks) {
  Decoding decoding;
  ASSERT_TRUE(decoding.step().ok());
  const std::vector<float> wanted = decoding.logits();
  decoding.set_rows({0});
  decoding.rewind();
  g_fail = true;
  const Status status = decoding.step();
  g_fail = false;
  // A smaller step may need nothing new; if it failed, then for want of memory.
  EXPECT_TRUE(status.ok() || status.code() == StatusCode::kResourceExhausted) << status.message();
  decoding.set_rows({0, 1});
  decoding.rewind();
  ASSERT_TRUE(decoding.step().ok());
  EXPECT_EQ(decoding.logits(), wanted);
}

}  // namespace
}  // namespace quire
