#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quire/model_runner.h"
#include "quire/types.h"

namespace quire {

// A step's input as a runner takes it, put together sequence by sequence on one flat axis. Owns the
// arrays that input() points to; used again, it allocates only where a step is larger than any
// before it.
//
//   token_ids   [ a a a | b | c c ]     three sequences with 3, 1 and 2 new tokens
//   previous    [ - a a | x | y c ]     the token before each, which may be in the cache already
//   cumulative  [ 0       3   4     6 ]
//   logits      row 2, row 3, row 5     the last token of each, if its logits are wanted
class StepBatch {
 public:
  // Adds a sequence: `token_ids` from its first token to the last one that this step computes, of
  // which the first `num_past` are in the cache; `blocks` its cache blocks in order, enough for all
  // of them; the logits of its last `num_logits` tokens are wanted, at most as many as are new.
  void add(std::span<const TokenId> token_ids,
           int num_past,
           std::span<const std::int32_t> blocks,
           int num_logits);
  void clear();

  // Valid until the next add() or clear().
  ModelInput input() const;
  int num_logits() const { return static_cast<int>(logits_indices_.size()); }

 private:
  void widen(std::size_t max_blocks);

  std::vector<TokenId> token_ids_;
  std::vector<TokenId> previous_ids_;
  std::vector<std::int32_t> cumulative_sequence_lengths_ = {0};
  std::vector<std::int32_t> past_sequence_lengths_;
  std::vector<std::int32_t> block_table_;  // rows of max_blocks_
  std::vector<std::int64_t> logits_indices_;
  std::size_t max_blocks_ = 0;
};

}  // namespace quire
