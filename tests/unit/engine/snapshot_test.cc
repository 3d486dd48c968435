#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "support/fake_runner.h"

namespace quire {
namespace {

constexpr ModelSpec kSpec = {
    .vocab_size = 64, .max_seq_len = 64, .num_kv_blocks = 16, .block_size = 4};

class SnapshotTest : public testing::Test {
 protected:
  // A prompt of `length` tokens whose last one is `last`.
  static Request prompt(int length, TokenId last, int max_tokens = 8) {
    std::vector<TokenId> ids(static_cast<std::size_t>(length));
    std::iota(ids.begin(), ids.end(), 1);
    ids.back() = last;
    return {.prompt_ids = std::move(ids), .params = {.max_tokens = max_tokens, .ignore_eos = true}};
  }
  void submit(Request request) { ASSERT_TRUE(engine_.submit(std::move(request))); }
  void finish() {
    while (engine_.has_unfinished()) static_cast<void>(engine_.step());
  }

  double now_ms_ = 0;
  Engine engine_{{.runner = std::make_unique<FakeRunner>(kSpec),
                  .tokenizer = nullptr,
                  .eos_ids = {},
                  .clock_ms = [this] { return now_ms_ += 1; },
                  .tool = {}},
                 {.max_num_seqs = 4, .max_batch_tokens = 64}};
};

TEST_F(SnapshotTest, StepsAreRecordedFromTheFirstSnapshotOn) {
  submit(prompt(5, 9));
  static_cast<void>(engine_.step());
  EXPECT_TRUE(engine_.snapshot(0).steps.empty());
  finish();
  const std::vector<StepSnapshot> steps = engine_.snapshot(0).steps;
  ASSERT_EQ(steps.size(), 7U);  // eight tokens, the first of which came before
  EXPECT_EQ(steps.front().number, 1);
  EXPECT_GT(steps.front().duration_ms, 0);
  EXPECT_EQ(steps.front().shares[0].num_past, 5);
  EXPECT_EQ(steps.front().shares[0].num_new, 1);
  EXPECT_EQ(engine_.snapshot(5).steps.front().number, 6);
  EXPECT_TRUE(engine_.snapshot(7).steps.empty());
}

TEST_F(SnapshotTest, OnlyTheLastStepsAreKept) {
  static_cast<void>(engine_.snapshot(0));
  for (int i = 0; i < 8; ++i) {
    submit(prompt(3, 9, 50));
    finish();
  }
  const std::vector<StepSnapshot> steps = engine_.snapshot(0).steps;
  ASSERT_EQ(steps.size(), StepLog::kSteps);
  EXPECT_EQ(steps.back().number, 8 * 50);
  EXPECT_EQ(steps.front().number, 8 * 50 - static_cast<std::int64_t>(StepLog::kSteps) + 1);
}

TEST_F(SnapshotTest, SequencesThatBeginAlikeShowTheSameBlocksAndWhoWaitsHasNone) {
  submit(prompt(13, 9));
  static_cast<void>(engine_.step());
  submit(prompt(13, 10));
  for (TokenId last = 11; last < 15; ++last) submit(prompt(13, last));
  static_cast<void>(engine_.step());
  const EngineSnapshot snapshot = engine_.snapshot(0);
  ASSERT_EQ(snapshot.running.size(), 4U);
  ASSERT_EQ(snapshot.waiting.size(), 2U);
  EXPECT_TRUE(snapshot.waiting[0].blocks.empty());
  const SequenceSnapshot& first = snapshot.running[0];
  const SequenceSnapshot& second = snapshot.running[1];
  EXPECT_EQ(second.num_cached_tokens, 12);
  EXPECT_EQ(second.num_prompt_tokens, 13);
  EXPECT_EQ(second.num_tokens, 14);
  EXPECT_EQ(second.num_computed_tokens, 13);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(first.blocks[i], second.blocks[i]);
  EXPECT_NE(first.blocks[3], second.blocks[3]);
  std::set<std::int32_t> held;
  for (const SequenceSnapshot& sequence : snapshot.running) {
    held.insert(sequence.blocks.begin(), sequence.blocks.end());
  }
  EXPECT_EQ(static_cast<int>(held.size()), snapshot.stats.num_used_blocks);
}

TEST_F(SnapshotTest, BlocksOfFinishedRequestsAreFreeAndFindable) {
  submit(prompt(13, 9, 1));
  finish();
  const EngineSnapshot snapshot = engine_.snapshot(0);
  EXPECT_EQ(snapshot.stats.num_used_blocks, 0);
  EXPECT_EQ(snapshot.findable_blocks.size(), 3U);
  submit(prompt(13, 10, 4));
  finish();
  EXPECT_EQ(engine_.snapshot(0).steps.front().num_hit_tokens, 12);
}

TEST_F(SnapshotTest, APreemptedSequenceIsNamedInItsStep) {
  static_cast<void>(engine_.snapshot(0));
  for (TokenId last = 20; last < 23; ++last) submit(prompt(2, last, 40));
  finish();
  const EngineSnapshot snapshot = engine_.snapshot(0);
  std::int64_t preempted = 0;
  for (const StepSnapshot& step : snapshot.steps) {
    preempted += static_cast<std::int64_t>(step.preempted.size());
  }
  EXPECT_GT(preempted, 0);
  EXPECT_EQ(preempted, snapshot.stats.num_preemptions);
}

}  // namespace
}  // namespace quire
