#pragma once

#include <cstdint>
#include <vector>

#include "quire/output.h"

namespace quire {

// An engine's books between two steps, copied: numbers of sequences, blocks and tokens, and no text
// or token of anybody's. Plain data for any thread.

// A sequence that runs or waits.
struct SequenceSnapshot {
  std::uint64_t id = 0;  // in order of arrival, never reused
  std::uint64_t request_id = 0;
  int sample_index = 0;
  int priority = 0;
  int num_prompt_tokens = 0;
  int num_tokens = 0;                // prompt and answer
  int num_computed_tokens = 0;       // of them in the cache
  int num_cached_tokens = 0;         // of the prompt, found there when it was first admitted
  std::vector<std::int32_t> blocks;  // its block table
};

// What a step computed.
struct StepSnapshot {
  struct Share {
    std::uint64_t sequence_id = 0;
    int num_past = 0;   // tokens in the cache before
    int num_new = 0;    // computed in this step, guesses included
    int num_draft = 0;  // of them guesses; one more than these: a sequence that decodes
  };
  std::int64_t number = 0;          // 1 for the first that was recorded
  double start_ms = 0;              // of the engine's clock
  double duration_ms = 0;           // plan, run and commit
  std::int64_t num_hit_tokens = 0;  // of prompts admitted in it, found in the cache
  std::vector<Share> shares;
  std::vector<std::uint64_t> preempted;  // sequences that lost their blocks
};

struct EngineSnapshot {
  EngineStats stats;
  int block_size = 0;
  std::int64_t num_evictions = 0;             // findable blocks that were reused
  std::vector<SequenceSnapshot> running;      // the first served first
  std::vector<SequenceSnapshot> waiting;      // likewise
  std::vector<std::int32_t> findable_blocks;  // free, with contents that a prompt may find
  std::vector<StepSnapshot> steps;            // the last ones, in order
};

}  // namespace quire
