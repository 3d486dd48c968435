#pragma once

#include <map>
#include <utility>

#include "cache/block_manager.h"
#include "scheduler/sequence.h"
#include "scheduler/step_plan.h"

namespace quire {

// Decides which sequences run in a step and with how many tokens:
//  1. every running sequence gets room for the tokens it has grown by; where the cache is full, the
//     last in order of service is preempted: its blocks are freed and it is computed again later;
//  2. every decoding sequence gets its one token, the longest-served first, and then its draft, as
//     far as the token budget and blocks that nobody else needs go;
//  3. prompts in progress, and what the engine put behind a sequence, get the next chunk, as far as
//     the token budget goes;
//  4. waiting sequences are admitted in order while there is budget, a slot, and room for all of
//     their tokens. The first that does not fit holds up those behind it, so that none is overtaken
//     for ever.
// Beside decoding sequences, prompts get a small share of a step only, which bounds how long a
// stream waits for its next token. With a backlog, throughput comes first: prompts get all that is
// left of the budget, so that the batch fills up.
//
// Consistent at every allocation: after a std::bad_alloc the next plan() starts from sound books.
// Knows no clock, thread, tensor or text. Not thread-safe; owned by the engine thread. The
// sequences are the engine's and must outlive their stay here; the block manager must outlive the
// scheduler.
class Scheduler {
 public:
  struct Options {
    int max_num_seqs = 64;
    int max_batch_tokens = 512;
  };
  Scheduler(const Options& options, BlockManager* block_manager);

  // Puts a new sequence into the waiting queue.
  void add(Sequence* sequence);

  // The next step. Empty only when nothing is waiting or running.
  StepPlan plan();

  // Records that the planned tokens of a sequence are in the cache now, its draft left out.
  void mark_computed(const ScheduledSequence& scheduled, Sequence* sequence);

  // Records that the first `count` tokens of the draft were right: they are the sequence's next
  // tokens, and in the cache.
  void mark_accepted(int count, Sequence* sequence);

  // Takes a sequence out, wherever it is, and frees its blocks.
  void finish(Sequence* sequence);

  // Whether a sequence that grows to `num_tokens` tokens could ever run.
  bool can_ever_fit(int num_tokens) const;

  int num_waiting() const { return static_cast<int>(waiting_.size()); }
  int num_running() const { return static_cast<int>(running_.size()); }
  const std::map<std::pair<int, SequenceId>, Sequence*>& running() const { return running_; }
  const std::map<std::pair<int, SequenceId>, Sequence*>& waiting() const { return waiting_; }

 private:
  void plan_decodes(StepPlan* plan);
  void plan_drafts(StepPlan* plan);
  void plan_prefills(int budget, StepPlan* plan);
  void admit(int budget, StepPlan* plan);
  bool has_room_for_draft(const Sequence& sequence, int num_draft) const;
  void publish(Sequence* sequence);
  bool try_admit(Sequence* sequence);
  void make_room_for_running(StepPlan* plan);
  void make_room(Sequence* sequence, StepPlan* plan);
  void preempt(Sequence* sequence);
  bool has_backlog() const;
  int prefill_budget(const StepPlan& plan) const;

  Options options_;
  BlockManager* block_manager_;
  // Ordered by rank(): the first is served first and preempted last.
  std::map<std::pair<int, SequenceId>, Sequence*> waiting_;
  std::map<std::pair<int, SequenceId>, Sequence*> running_;
};

}  // namespace quire
