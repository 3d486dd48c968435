#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "support/byte_tokenizer.h"
#include "support/fake_runner.h"

// Every allocation of this program is counted here, and one of them, or all from one on, can be
// made to fail.
namespace {

long g_allocations_until_failure = -1;  // -1: none fails
bool g_all_later_fail = false;
bool g_failed = false;
long g_num_allocations = 0;
std::size_t g_live_bytes = 0;

bool next_allocation_fails() {
  if (g_allocations_until_failure < 0) return false;
  if (g_allocations_until_failure > 0) {
    --g_allocations_until_failure;
    return false;
  }
  g_failed = true;
  if (!g_all_later_fail) g_allocations_until_failure = -1;
  return true;
}

void* allocate(std::size_t size) {
  if (next_allocation_fails()) throw std::bad_alloc();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  ++g_num_allocations;
  g_live_bytes += malloc_usable_size(memory);
  return memory;
}

void deallocate(void* memory) {
  g_live_bytes -= malloc_usable_size(memory);  // 0 for a null pointer
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { deallocate(memory); }
void operator delete[](void* memory) noexcept { deallocate(memory); }
void operator delete(void* memory, std::size_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, std::size_t) noexcept { deallocate(memory); }

namespace quire {
namespace {

constexpr ModelSpec kSpec{
    .vocab_size = 256, .max_seq_len = 64, .num_kv_blocks = 9, .block_size = 4};
constexpr int kMaxSteps = 500;

void fail_allocations(long after, bool all_later) {
  g_allocations_until_failure = after;
  g_all_later_fail = all_later;
  g_failed = false;
}

void fail_none() { g_allocations_until_failure = -1; }

// Requests that between them use the whole engine: samples, stop strings, penalties, logprobs,
// a shared beginning, a deadline, and more than the cache holds at once.
std::vector<Request> make_requests() {
  std::vector<Request> requests(4);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Request& request = requests[i];
    for (int token = 0; token < 9; ++token) request.prompt_ids.push_back(97 + token);
    request.prompt_ids.push_back(static_cast<TokenId>(65 + i));
    request.params.max_tokens = 8;
    request.params.seed = i;
  }
  requests[0].params.n = 2;
  requests[0].params.temperature = 0.9;
  requests[1].params.stop = {"never", "to be seen"};
  requests[1].params.logprobs = 2;
  requests[1].params.prompt_logprobs = 1;
  requests[2].params.repetition_penalty = 1.2;
  requests[2].params.logit_bias = {{3, 1.0}};
  requests[2].params.bad_words = {{1, 2}};
  requests[3].timeout_ms = 1e9;
  return requests;
}

class OutOfMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.max_num_seqs = 4;
    options.max_batch_tokens = 7;
    options.seed = 1;
    engine_ = std::make_unique<Engine>(EngineParts{.runner = std::make_unique<FakeRunner>(kSpec),
                                                   .tokenizer = &tokenizer_,
                                                   .eos_ids = {0},
                                                   .clock_ms = [] { return 0.0; }},
                                       options);
  }

  // Submits all and runs them to their ends. Each accepted request must be reported once.
  void serve(const std::vector<Request>& requests) {
    std::map<RequestId, int> reports;
    for (const Request& request : requests) {
      // The copy is the caller's memory, not the engine's.
      const long armed = g_allocations_until_failure;
      fail_none();
      Request copy = request;
      g_allocations_until_failure = armed;
      const Result<RequestId> id = engine_->submit(std::move(copy));
      const long left = g_allocations_until_failure;
      fail_none();
      if (id) {
        reports[*id] = 0;
      } else {
        EXPECT_EQ(id.error().code(), StatusCode::kResourceExhausted);
      }
      g_allocations_until_failure = left;
    }
    int short_steps = 0;
    for (int step = 0; engine_->has_unfinished(); ++step) {
      ASSERT_LT(step, kMaxSteps) << "the engine does not come to an end";
      const StepOutput output = engine_->step();
      const long left = g_allocations_until_failure;
      fail_none();
      for (const RequestOutput& finished : output.finished) {
        ++reports[finished.request_id];
        if (finished.error.ok()) continue;
        EXPECT_EQ(finished.error.code(), StatusCode::kResourceExhausted);
      }
      // Memory is short for a few steps, not for ever.
      if (g_failed) ++short_steps;
      if (!g_all_later_fail || short_steps < 3) g_allocations_until_failure = left;
    }
    fail_none();
    for (const auto& [id, count] : reports) EXPECT_EQ(count, 1) << "request " << id;
    EXPECT_EQ(engine_->stats().num_used_blocks, 0);
    EXPECT_EQ(engine_->stats().num_waiting, 0);
  }

  // The answer to one more request, now that there is memory again.
  std::vector<TokenId> next_answer() {
    Request request;
    request.prompt_ids = {97, 98, 99, 100, 101, 102, 103};
    request.params.max_tokens = 6;
    EXPECT_TRUE(engine_->submit(request));
    std::vector<TokenId> ids;
    while (engine_->has_unfinished()) {
      for (const RequestOutput& finished : engine_->step().finished) {
        EXPECT_TRUE(finished.error.ok()) << finished.error.message();
        ids = finished.outputs.at(0).token_ids;
      }
    }
    return ids;
  }

  void fail_each_allocation_in_turn(bool all_later, long stride) {
    const std::vector<Request> requests = make_requests();
    const std::vector<TokenId> expected = next_answer();
    long after = 0;
    do {
      SetUp();
      fail_allocations(after, all_later);
      serve(requests);
      ASSERT_FALSE(HasFailure()) << "with allocation " << after << " failing";
      const bool failed = g_failed;
      ASSERT_EQ(next_answer(), expected) << "after allocation " << after << " failed";
      if (!failed) break;
      after += stride;
    } while (true);
    EXPECT_GT(after, 500) << "the requests allocate less than this test is about";
  }

  ByteTokenizer tokenizer_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(OutOfMemoryTest, AnySingleFailedAllocationLosesNothingButItsRequest) {
  fail_each_allocation_in_turn(/*all_later=*/false, 1);
}

TEST_F(OutOfMemoryTest, AnyLastingShortageLosesNothingButTheRequestsOfIt) {
  fail_each_allocation_in_turn(/*all_later=*/true, 1);
}

// Allocations of one step with that many requests waiting, and the bytes each of those takes.
struct QueueCost {
  long allocations_of_a_step = 0;
  double bytes_a_request = 0;
};

QueueCost cost_of_queue(int num_requests) {
  ByteTokenizer tokenizer;
  EngineOptions options;
  options.max_num_seqs = 4;
  options.prefix_cache = false;
  Engine engine(
      {.runner = std::make_unique<FakeRunner>(ModelSpec{
           .vocab_size = 256, .max_seq_len = 1024, .num_kv_blocks = 256, .block_size = 16}),
       .tokenizer = &tokenizer,
       .eos_ids = {},
       .clock_ms = [] { return 0.0; }},
      options);
  const std::size_t before = g_live_bytes;
  for (int i = 0; i < num_requests; ++i) {
    Request request;
    request.prompt_ids.assign(100, 65);
    request.params.max_tokens = 200;
    EXPECT_TRUE(engine.submit(std::move(request)));
  }
  const auto bytes = static_cast<double>(g_live_bytes - before);
  for (int i = 0; i < 8; ++i) static_cast<void>(engine.step());  // four decode, the others wait
  const long allocations = g_num_allocations;
  static_cast<void>(engine.step());
  return {g_num_allocations - allocations, bytes / num_requests};
}

TEST(QueueCostTest, TenThousandWaitingRequestsTakeLittleMemoryAndNoneOfAStep) {
  const QueueCost few = cost_of_queue(100);
  const QueueCost many = cost_of_queue(10'000);
  EXPECT_EQ(few.allocations_of_a_step, many.allocations_of_a_step);
  // A prompt of 100 ids is 400 bytes, held twice: as asked, and as the sequence that grows.
  EXPECT_LT(many.bytes_a_request, 4096);
  EXPECT_LT(many.bytes_a_request, 1.2 * few.bytes_a_request) << "linear in their number";
}

}  // namespace
}  // namespace quire
