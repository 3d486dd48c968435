#include "scheduler/invariants.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace quire {
namespace {

std::string name(const Sequence& sequence) { return "sequence " + std::to_string(sequence.id); }

void check_running(const Sequence& sequence,
                   const BlockManager& blocks,
                   std::vector<std::string>* found) {
  if (sequence.status != SequenceStatus::kRunning) {
    found->push_back(name(sequence) + " is in the running queue but has another status");
  }
  if (sequence.num_computed_tokens > sequence.num_tokens()) {
    found->push_back(name(sequence) + " has more computed tokens than tokens");
  }
  const int needed = blocks_for(sequence.num_computed_tokens, blocks.block_size());
  if (static_cast<int>(sequence.block_table.blocks.size()) < needed) {
    found->push_back(name(sequence) + " has fewer blocks than its computed tokens need");
  }
  if (sequence.block_table.keys.size() > sequence.block_table.blocks.size()) {
    found->push_back(name(sequence) + " has more published blocks than blocks");
  }
}

void check_waiting(const Sequence& sequence, std::vector<std::string>* found) {
  if (sequence.status != SequenceStatus::kWaiting) {
    found->push_back(name(sequence) + " is in the waiting queue but has another status");
  }
  if (!sequence.block_table.blocks.empty() || sequence.num_computed_tokens != 0) {
    found->push_back(name(sequence) + " waits but holds blocks or computed tokens");
  }
}

}  // namespace

std::vector<std::string> find_violations(const Scheduler& scheduler, const BlockManager& blocks) {
  std::vector<std::string> found;
  std::map<BlockId, int> held;
  for (const auto& [rank, sequence] : scheduler.running()) {
    check_running(*sequence, blocks, &found);
    if (scheduler.waiting().contains(rank)) found.push_back(name(*sequence) + " is in two queues");
    for (const BlockId block : sequence->block_table.blocks) ++held[block];
  }
  for (const auto& [rank, sequence] : scheduler.waiting()) check_waiting(*sequence, &found);
  for (BlockId block = 0; block < blocks.num_blocks(); ++block) {
    const int references = held.contains(block) ? held[block] : 0;
    if (blocks.pool().ref_count(block) != references) {
      found.push_back("block " + std::to_string(block) + " counts " +
                      std::to_string(blocks.pool().ref_count(block)) + " references but is in " +
                      std::to_string(references) + " tables");
    }
  }
  if (static_cast<int>(held.size()) + blocks.num_free_blocks() != blocks.num_blocks()) {
    found.emplace_back("used and free blocks do not add up to the pool");
  }
  return found;
}

std::vector<std::string> find_violations(const StepPlan& plan,
                                         const Scheduler& scheduler,
                                         int max_batch_tokens) {
  std::vector<std::string> found;
  std::map<SequenceId, const Sequence*> running;
  for (const auto& [rank, sequence] : scheduler.running()) running[sequence->id] = sequence;
  std::set<SequenceId> seen;
  int num_tokens = 0;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    num_tokens += scheduled.num_new;
    const std::string who = "planned sequence " + std::to_string(scheduled.id);
    if (!seen.insert(scheduled.id).second) found.push_back(who + " is planned twice");
    if (!running.contains(scheduled.id)) {
      found.push_back(who + " is not running");
      continue;
    }
    const Sequence& sequence = *running[scheduled.id];
    if (scheduled.num_past != sequence.num_computed_tokens || scheduled.num_new <= 0 ||
        scheduled.num_new - scheduled.num_draft > sequence.num_uncomputed_tokens()) {
      found.push_back(who + " does not continue where it stands");
    }
    const bool has_draft = scheduled.num_draft > 0;
    if (scheduled.num_draft > static_cast<int>(sequence.draft_ids.size()) ||
        (has_draft && (!scheduled.is_decode() || scheduled.num_logits != scheduled.num_new))) {
      found.push_back(who + " has guesses that cannot be checked");
    }
  }
  if (num_tokens != plan.num_tokens || num_tokens > max_batch_tokens) {
    found.push_back("the plan has " + std::to_string(num_tokens) + " tokens");
  }
  return found;
}

}  // namespace quire
