// What an engine tells of itself.
#include "quire/engine_snapshot.h"

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace quire {
namespace {

SequenceSnapshot snapshot_of(const Sequence& sequence, RequestId request) {
  return {.id = sequence.id,
          .request_id = request,
          .sample_index = sequence.sample_index,
          .priority = sequence.priority,
          .num_prompt_tokens = sequence.num_prompt_tokens,
          .num_tokens = sequence.num_tokens(),
          .num_computed_tokens = sequence.num_computed_tokens,
          .num_cached_tokens = sequence.num_cached_tokens,
          .blocks = sequence.block_table.blocks};
}

}  // namespace

EngineSnapshot Engine::snapshot(std::int64_t after_step) {
  step_log_.turn_on();
  EngineSnapshot snapshot{.stats = stats(),
                          .block_size = block_manager_.block_size(),
                          .num_evictions = block_manager_.stats().num_evictions,
                          .running = {},
                          .waiting = {},
                          .findable_blocks = block_manager_.free_findable_blocks(),
                          .steps = step_log_.since(after_step)};
  const auto request_of = [this](const Sequence& sequence) {
    const auto found = samples_.find(sequence.id);
    return found == samples_.end() ? RequestId{0} : found->second->generation->id;
  };
  for (const auto& [rank, sequence] : scheduler_.running()) {
    snapshot.running.push_back(snapshot_of(*sequence, request_of(*sequence)));
  }
  for (const auto& [rank, sequence] : scheduler_.waiting()) {
    snapshot.waiting.push_back(snapshot_of(*sequence, request_of(*sequence)));
  }
  return snapshot;
}

}  // namespace quire
