#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cache/block_manager.h"
#include "quire/types.h"

namespace quire {

// Numbers sequences in order of arrival, never reused.
using SequenceId = std::uint64_t;

// Where a sequence is on its way:
//
//   kWaiting --admit--> kRunning --stop, length, cancel--> kFinished
//       ^-----preempt------+
enum class SequenceStatus { kWaiting, kRunning, kFinished };

// One sample of one request while it is being made. Its tokens lie in three stretches:
//
//   [ computed: keys and values in the cache | not yet computed ]
//   [ prompt                        | generated                 ]
//
// A sequence whose uncomputed stretch is one token long decodes; a longer one is prefilled in
// chunks. Owned by the engine; the scheduler changes status, block_table and num_computed_tokens.
struct Sequence {
  SequenceId id = 0;
  int sample_index = 0;
  int priority = 0;
  std::string cache_salt;

  std::vector<TokenId> token_ids;
  // Guesses at what follows, for a decoding sequence's next step to check; no part of it yet.
  std::vector<TokenId> draft_ids;
  int num_prompt_tokens = 0;
  int num_computed_tokens = 0;
  int num_cached_tokens = 0;        // of the first admission, for the usage report
  int num_prompt_logprob_rows = 0;  // prompt rows whose logits have been seen, when they are wanted
  bool wants_prompt_logprobs = false;

  SequenceStatus status = SequenceStatus::kWaiting;
  BlockTable block_table;

  int num_tokens() const { return static_cast<int>(token_ids.size()); }
  int num_uncomputed_tokens() const { return num_tokens() - num_computed_tokens; }
  int num_output_tokens() const { return num_tokens() - num_prompt_tokens; }
  std::span<const TokenId> output_ids() const {
    return std::span(token_ids).subspan(static_cast<std::size_t>(num_prompt_tokens));
  }
  // Order of service: priority first, then arrival.
  std::pair<int, SequenceId> rank() const { return {priority, id}; }
};

}  // namespace quire
