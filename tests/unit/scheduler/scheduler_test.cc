#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "scheduler/invariants.h"

namespace quire {
namespace {

constexpr int kBlockSize = 4;

// A scheduler over a pool of blocks, and sequences with made-up tokens.
class SchedulerTest : public testing::Test {
 protected:
  void start(int num_blocks, Scheduler::Options options) {
    blocks_ = std::make_unique<BlockManager>(
        BlockManager::Options{.num_blocks = num_blocks, .block_size = kBlockSize, .hash_seed = 1});
    scheduler_ = std::make_unique<Scheduler>(options, blocks_.get());
    options_ = options;
  }

  Sequence& add(int num_tokens, int priority = 0) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = sequences_.size();
    sequence->priority = priority;
    // Every sequence has its own tokens: nothing is shared unless a test wants it.
    for (int i = 0; i < num_tokens; ++i) {
      sequence->token_ids.push_back(static_cast<TokenId>(1000 * sequences_.size()) + i);
    }
    sequence->num_prompt_tokens = num_tokens;
    sequences_.push_back(std::move(sequence));
    scheduler_->add(sequences_.back().get());
    return *sequences_.back();
  }

  // One whole step: plan, check, mark computed, one new token for each sequence at its end.
  StepPlan step() {
    const StepPlan plan = scheduler_->plan();
    for (const std::string& why : find_violations(plan, *scheduler_, options_.max_batch_tokens)) {
      ADD_FAILURE() << why << " in " << to_string(plan);
    }
    for (const ScheduledSequence& scheduled : plan.sequences) {
      Sequence& sequence = *sequences_[scheduled.id];
      scheduler_->mark_computed(scheduled, &sequence);
      if (scheduled.num_logits > 0) sequence.token_ids.push_back(7);
    }
    for (const std::string& why : find_violations(*scheduler_, *blocks_)) ADD_FAILURE() << why;
    return plan;
  }

  Scheduler::Options options_;
  std::unique_ptr<BlockManager> blocks_;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
};

using Scheduled = std::vector<ScheduledSequence>;

TEST_F(SchedulerTest, WithoutWorkThePlanIsEmpty) {
  start(8, {});
  EXPECT_TRUE(step().empty());
}

TEST_F(SchedulerTest, ALongPromptIsComputedInChunksOfTheBudget) {
  start(8, {.max_batch_tokens = 4});
  add(10);
  EXPECT_EQ(step().sequences, (Scheduled{{0, 0, 4, 0}}));
  EXPECT_EQ(step().sequences, (Scheduled{{0, 4, 4, 0}}));
  EXPECT_EQ(step().sequences, (Scheduled{{0, 8, 2, 1}}));
  EXPECT_EQ(step().sequences, (Scheduled{{0, 10, 1, 1}}));
}

TEST_F(SchedulerTest, PromptsAndDecodesShareAStep) {
  start(16, {.max_batch_tokens = 64});
  add(3);
  step();
  add(5);
  EXPECT_EQ(step().sequences, (Scheduled{{0, 3, 1, 1}, {1, 0, 5, 1}}));
}

TEST_F(SchedulerTest, BesideDecodesAPromptGetsASmallShareOfTheStep) {
  start(64, {.max_batch_tokens = 512});
  add(3);
  step();
  add(100);
  EXPECT_EQ(step().sequences, (Scheduled{{0, 3, 1, 1}, {1, 0, 16, 0}}));
}

TEST_F(SchedulerTest, WithABacklogPromptsFillTheStep) {
  start(64, {.max_batch_tokens = 50});
  add(3);
  step();
  for (int i = 0; i < 3; ++i) add(40);
  EXPECT_EQ(step().sequences, (Scheduled{{0, 3, 1, 1}, {1, 0, 40, 1}, {2, 0, 9, 0}}));
}

TEST_F(SchedulerTest, NoMoreSequencesRunThanThereAreSlots) {
  start(16, {.max_num_seqs = 2});
  for (int i = 0; i < 3; ++i) add(2);
  EXPECT_EQ(step().sequences.size(), 2U);
  EXPECT_EQ(scheduler_->num_waiting(), 1);
}

TEST_F(SchedulerTest, TheFirstThatDoesNotFitHoldsUpThoseBehindIt) {
  start(4, {});
  add(8);
  step();
  add(12);  // three blocks; one is free
  add(1);   // would fit, but must not overtake for ever
  EXPECT_EQ(step().sequences, (Scheduled{{0, 8, 1, 1}}));
  EXPECT_EQ(scheduler_->num_waiting(), 2);
}

TEST_F(SchedulerTest, WhenTheCacheIsFullTheLastArrivedIsPreempted) {
  start(4, {});
  add(4);
  add(4);
  step();  // both at 5 tokens now, two blocks each from the next step on
  step();
  for (int i = 0; i < 3; ++i) step();
  const StepPlan plan = step();
  EXPECT_EQ(plan.preempted, std::vector<SequenceId>{1}) << to_string(plan);
  EXPECT_EQ(plan.sequences.size(), 1U);
  EXPECT_EQ(sequences_[1]->status, SequenceStatus::kWaiting);
  EXPECT_EQ(sequences_[1]->num_computed_tokens, 0);
}

TEST_F(SchedulerTest, APreemptedSequenceComesBackWithAllItsTokens) {
  start(4, {});
  add(4);
  add(4);
  while (sequences_[1]->status != SequenceStatus::kWaiting || sequences_[1]->num_tokens() == 4)
    step();
  const int num_tokens = sequences_[1]->num_tokens();
  scheduler_->finish(sequences_[0].get());
  const StepPlan plan = step();
  ASSERT_EQ(plan.sequences.size(), 1U);
  EXPECT_EQ(plan.sequences[0].num_past + plan.sequences[0].num_new, num_tokens);
  EXPECT_EQ(plan.sequences[0].num_logits, 1);
}

TEST_F(SchedulerTest, ALowerPriorityNumberIsServedFirst) {
  start(16, {.max_num_seqs = 1});
  add(2, /*priority=*/5);
  add(2, /*priority=*/-5);
  EXPECT_EQ(step().sequences.front().id, 1U);
}

TEST_F(SchedulerTest, AnEqualPromptSkipsWhatIsCached) {
  start(16, {});
  Sequence& first = add(10);
  step();
  Sequence& second = add(10);
  second.token_ids.assign(first.token_ids.begin(), first.token_ids.begin() + 10);
  const StepPlan plan = step();
  ASSERT_EQ(plan.sequences.size(), 2U);
  EXPECT_EQ(plan.sequences[1], (ScheduledSequence{1, 8, 2, 1}));
  EXPECT_EQ(second.num_cached_tokens, 8);
}

TEST_F(SchedulerTest, PromptLogprobsNeedEveryRowAndSkipTheCache) {
  start(16, {.max_batch_tokens = 6});
  Sequence& first = add(10);
  step();
  scheduler_->finish(&first);
  Sequence& second = add(10);
  second.token_ids.assign(first.token_ids.begin(), first.token_ids.begin() + 10);
  second.wants_prompt_logprobs = true;
  EXPECT_EQ(step().sequences, (Scheduled{{1, 0, 6, 6}}));
}

TEST_F(SchedulerTest, FinishingGivesAllBlocksBackFromAnyState) {
  start(16, {.max_num_seqs = 1});
  add(9);
  add(9);
  step();
  scheduler_->finish(sequences_[0].get());
  scheduler_->finish(sequences_[1].get());
  EXPECT_EQ(blocks_->num_used_blocks(), 0);
  EXPECT_TRUE(step().empty());
}

TEST_F(SchedulerTest, ThePlanOfAStepLooksAtNoMoreWaitingSequencesThanItAdmits) {
  start(4, {.max_num_seqs = 1});
  for (int i = 0; i < 10000; ++i) add(3);
  // Were the queue walked, ten thousand sequences would get statistics counted.
  step();
  EXPECT_EQ(blocks_->stats().num_lookup_tokens, 3);
  EXPECT_EQ(scheduler_->num_waiting(), 9999);
}

TEST_F(SchedulerTest, ADraftRunsBehindItsSequenceAsFarAsTheBudgetGoes) {
  start(16, {.max_batch_tokens = 8});
  add(3).draft_ids = {};
  add(3);
  step();
  sequences_[0]->draft_ids = {1, 2, 3};
  sequences_[1]->draft_ids = {4, 5, 6, 7, 8};
  const StepPlan plan = step();
  EXPECT_EQ(plan.sequences, (Scheduled{{0, 3, 4, 4, 3}, {1, 3, 4, 4, 3}}));
  EXPECT_EQ(plan.num_tokens, 8);
  EXPECT_EQ(sequences_[0]->num_computed_tokens, 4) << "guesses count once they are accepted";
}

TEST_F(SchedulerTest, AcceptedGuessesAreInTheCacheAndFindable) {
  start(16, {.max_batch_tokens = 64});
  Sequence& sequence = add(3);
  step();
  sequence.draft_ids = {1, 2, 3, 4};
  const StepPlan plan = scheduler_->plan();
  scheduler_->mark_computed(plan.sequences[0], &sequence);
  sequence.token_ids.insert(sequence.token_ids.end(), {1, 2, 3, 9});
  scheduler_->mark_accepted(3, &sequence);
  sequence.draft_ids = {};
  EXPECT_EQ(sequence.num_computed_tokens, 7);
  EXPECT_EQ(sequence.block_table.keys.size(), 1U);
  EXPECT_EQ(step().sequences, (Scheduled{{0, 7, 1, 1}}));
  EXPECT_EQ(sequence.block_table.keys.size(), 2U);
}

TEST_F(SchedulerTest, ADraftPreemptsNobodyAndTakesNoBlockThatOthersGrowInto) {
  start(4, {});
  add(4);
  add(4);
  step();  // each holds one block and grows into its second with the next step
  sequences_[0]->draft_ids = {1, 2, 3, 4};
  const StepPlan plan = step();
  EXPECT_TRUE(plan.preempted.empty());
  EXPECT_EQ(plan.sequences, (Scheduled{{0, 4, 1, 1}, {1, 4, 1, 1}}));
}

TEST_F(SchedulerTest, ADecodeWithADraftStillCountsAsADecodeBesidePrompts) {
  start(64, {.max_batch_tokens = 512});
  add(3);
  step();
  sequences_[0]->draft_ids = {1, 2};
  add(100);
  EXPECT_EQ(step().sequences, (Scheduled{{0, 3, 3, 3, 2}, {1, 0, 16, 0}}));
}

}  // namespace
}  // namespace quire
