#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quire/result.h"
#include "quire/types.h"

namespace quire {

// What an engine needs to know of a model.
struct ModelSpec {
  int vocab_size = 0;     // width of the logits
  int max_seq_len = 0;    // positions the model knows
  int num_kv_blocks = 0;  // cache blocks the runner holds, numbered from 0
  int block_size = 0;     // tokens a block
};

// One step: the new tokens of B sequences on one flat axis of T tokens, no padding. Views into the
// caller's memory, valid during run().
struct ModelInput {
  std::span<const TokenId> token_ids;     // [T]
  std::span<const TokenId> previous_ids;  // [T]: the token before each in its sequence, -1: none
  std::span<const std::int32_t> cumulative_sequence_lengths;  // [B+1]: where each sequence begins
  std::span<const std::int32_t> past_sequence_lengths;  // [B]: its tokens already in the cache
  std::span<const std::int32_t> block_table;            // [B, max_blocks], row-major, -1: unused
  int max_blocks = 0;
  std::span<const std::int64_t> logits_indices;  // [L]: rows of T whose logits are wanted
};

// A model and the memory of its cache, behind one call. The engine keeps the cache's books, the
// runner its bytes. Not thread-safe: one thread, the engine's, calls it.
class ModelRunner {
 public:
  ModelRunner() = default;
  ModelRunner(const ModelRunner&) = delete;
  ModelRunner& operator=(const ModelRunner&) = delete;
  virtual ~ModelRunner() = default;

  virtual const ModelSpec& spec() const = 0;

  // Computes the tokens, writes their keys and values into the cache and sets `logits` to [L,
  // vocab], row-major. A failed run may have written the blocks of the input and nothing else, so
  // that the same input can be run again.
  virtual Status run(const ModelInput& input, std::vector<float>* logits) = 0;

  // One plain forward pass over the first blocks of the cache, for use without an engine: logits of
  // every position, [ids, vocab]. Overwrites whatever an engine had in the cache.
  Result<std::vector<float>> forward(std::span<const TokenId> ids);
};

}  // namespace quire
