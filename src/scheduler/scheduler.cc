#include "scheduler/scheduler.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/check.h"

namespace quire {
namespace {

// Prompt tokens that may run beside each decoding sequence, and beside few of them at least. A
// prompt token costs less than a decoding sequence does, so a mixed step takes less than three
// times as long as a pure one (`quire bench --latency` measures it).
constexpr int kPrefillTokensPerDecode = 1;
constexpr int kMinPrefillTokens = 16;

// Guesses in a step: each has a row of logits, as wide as the vocabulary.
constexpr int kMaxDraftTokens = 64;

ScheduledSequence schedule(const Sequence& sequence, int num_new) {
  const bool reaches_end = num_new == sequence.num_uncomputed_tokens();
  ScheduledSequence scheduled{
      sequence.id, sequence.num_computed_tokens, num_new, reaches_end ? 1 : 0};
  // Prompt logprobs need a row for every prompt token, once.
  if (sequence.wants_prompt_logprobs &&
      sequence.num_prompt_logprob_rows < sequence.num_prompt_tokens) {
    scheduled.num_logits = num_new;
  }
  return scheduled;
}

// Blocks on their way to a sequence; given back unless they arrive.
struct HeldTable {
  explicit HeldTable(BlockManager* block_manager) : manager(block_manager) {}
  HeldTable(const HeldTable&) = delete;
  HeldTable& operator=(const HeldTable&) = delete;
  ~HeldTable() { manager->free(&table); }

  BlockManager* manager;
  BlockTable table;
};

void append(const ScheduledSequence& scheduled, StepPlan* plan) {
  plan->sequences.push_back(scheduled);
  plan->num_tokens += scheduled.num_new;
}

}  // namespace

Scheduler::Scheduler(const Options& options, BlockManager* block_manager)
    : options_(options), block_manager_(block_manager) {}

void Scheduler::add(Sequence* sequence) {
  sequence->status = SequenceStatus::kWaiting;
  waiting_.emplace(sequence->rank(), sequence);
}

bool Scheduler::can_ever_fit(int num_tokens) const {
  return blocks_for(num_tokens, block_manager_->block_size()) <= block_manager_->num_blocks();
}

StepPlan Scheduler::plan() {
  StepPlan plan;
  make_room_for_running(&plan);
  plan_decodes(&plan);
  plan_drafts(&plan);
  plan_prefills(prefill_budget(plan), &plan);
  // A step that had to preempt has no room for anyone new.
  if (plan.preempted.empty()) admit(prefill_budget(plan), &plan);
  QUIRE_CHECK(!plan.empty() || (waiting_.empty() && running_.empty()),
              "a step without work while sequences wait");
  return plan;
}

// Running sequences grow by what they generate: a token, or many at once that the engine put behind
// it. Done for all before any is planned, since making room preempts.
void Scheduler::make_room_for_running(StepPlan* plan) {
  std::vector<Sequence*> sequences;
  for (const auto& [rank, sequence] : running_) sequences.push_back(sequence);
  for (Sequence* sequence : sequences) {
    // A sequence may have been preempted for one before it.
    if (sequence->status == SequenceStatus::kRunning) make_room(sequence, plan);
  }
}

void Scheduler::make_room(Sequence* sequence, StepPlan* plan) {
  while (!block_manager_->append(sequence->num_tokens(), &sequence->block_table)) {
    Sequence* last = std::prev(running_.end())->second;
    plan->preempted.push_back(last->id);
    preempt(last);
    if (last == sequence) return;
  }
}

void Scheduler::plan_decodes(StepPlan* plan) {
  for (const auto& [rank, sequence] : running_) {
    if (plan->num_tokens == options_.max_batch_tokens) return;
    if (sequence->num_uncomputed_tokens() == 1) append(schedule(*sequence, 1), plan);
  }
}

// A draft takes only what is free: it preempts nobody, and leaves each running sequence a block to
// grow into.
void Scheduler::plan_drafts(StepPlan* plan) {
  int budget = std::min(options_.max_batch_tokens - plan->num_tokens, kMaxDraftTokens);
  auto scheduled = plan->sequences.begin();  // the decodes, in the order of running_
  for (const auto& [rank, sequence] : running_) {
    if (scheduled == plan->sequences.end()) return;
    if (sequence->num_uncomputed_tokens() != 1) continue;
    const int num_draft = std::min(budget, static_cast<int>(sequence->draft_ids.size()));
    if (num_draft > 0 && has_room_for_draft(*sequence, num_draft)) {
      QUIRE_CHECK(
          block_manager_->append(sequence->num_tokens() + num_draft, &sequence->block_table),
          "room that was counted");
      scheduled->num_draft = num_draft;
      scheduled->num_new += num_draft;
      scheduled->num_logits += num_draft;
      plan->num_tokens += num_draft;
      budget -= num_draft;
    }
    ++scheduled;
  }
}

bool Scheduler::has_room_for_draft(const Sequence& sequence, int num_draft) const {
  const int num_blocks =
      blocks_for(sequence.num_tokens() + num_draft, block_manager_->block_size());
  const int num_missing = num_blocks - static_cast<int>(sequence.block_table.blocks.size());
  return num_missing <= 0 || num_missing + num_running() <= block_manager_->num_free_blocks();
}

void Scheduler::preempt(Sequence* sequence) {
  block_manager_->free(&sequence->block_table);
  sequence->num_computed_tokens = 0;
  sequence->status = SequenceStatus::kWaiting;
  waiting_.insert(running_.extract(sequence->rank()));
}

bool Scheduler::has_backlog() const { return 2 * num_waiting() > num_running() + 2; }

int Scheduler::prefill_budget(const StepPlan& plan) const {
  const int left = options_.max_batch_tokens - plan.num_tokens;
  int num_decodes = 0;
  int num_prefill_tokens = 0;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    if (scheduled.is_decode()) {
      ++num_decodes;
    } else {
      num_prefill_tokens += scheduled.num_new;
    }
  }
  if (num_decodes == 0 || has_backlog()) return left;
  const int share = std::max(kMinPrefillTokens, kPrefillTokensPerDecode * num_decodes);
  return std::min(left, share - num_prefill_tokens);
}

void Scheduler::plan_prefills(int budget, StepPlan* plan) {
  for (const auto& [rank, sequence] : running_) {
    if (budget <= 0) return;
    if (sequence->num_uncomputed_tokens() == 1) continue;
    const int num_new = std::min(budget, sequence->num_uncomputed_tokens());
    append(schedule(*sequence, num_new), plan);
    budget -= num_new;
  }
}

void Scheduler::admit(int budget, StepPlan* plan) {
  while (budget > 0 && !waiting_.empty() && num_running() < options_.max_num_seqs) {
    Sequence* sequence = waiting_.begin()->second;
    if (!try_admit(sequence)) return;
    const int num_new = std::min(budget, sequence->num_uncomputed_tokens());
    append(schedule(*sequence, num_new), plan);
    budget -= num_new;
  }
}

bool Scheduler::try_admit(Sequence* sequence) {
  // One free block for each running sequence stays, or the newcomer would be preempted at once.
  const int reserve = num_running();
  HeldTable held(block_manager_);
  int num_cached = 0;
  if (!sequence->wants_prompt_logprobs) {
    num_cached =
        block_manager_->allocate_cached(sequence->token_ids, sequence->cache_salt, &held.table);
  }
  const int num_blocks = blocks_for(sequence->num_tokens(), block_manager_->block_size());
  const int num_missing = num_blocks - static_cast<int>(held.table.blocks.size());
  if (num_missing + reserve > block_manager_->num_free_blocks()) return false;
  QUIRE_CHECK(block_manager_->append(sequence->num_tokens(), &held.table), "room that was counted");
  block_manager_->count_lookup(sequence->num_tokens(), num_cached);
  if (sequence->num_output_tokens() == 0) sequence->num_cached_tokens = num_cached;
  sequence->block_table = std::exchange(held.table, {});
  sequence->num_computed_tokens = num_cached;
  sequence->status = SequenceStatus::kRunning;
  running_.insert(waiting_.extract(sequence->rank()));
  return true;
}

void Scheduler::mark_computed(const ScheduledSequence& scheduled, Sequence* sequence) {
  sequence->num_computed_tokens = scheduled.num_past + scheduled.num_new - scheduled.num_draft;
  publish(sequence);
}

void Scheduler::mark_accepted(int count, Sequence* sequence) {
  sequence->num_computed_tokens += count;
  publish(sequence);
}

void Scheduler::publish(Sequence* sequence) {
  block_manager_->publish(sequence->token_ids,
                          sequence->num_computed_tokens,
                          sequence->cache_salt,
                          &sequence->block_table);
}

void Scheduler::finish(Sequence* sequence) {
  waiting_.erase(sequence->rank());
  running_.erase(sequence->rank());
  block_manager_->free(&sequence->block_table);
  sequence->status = SequenceStatus::kFinished;
}

}  // namespace quire
