#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "quire/model_runner.h"
#include "quire/types.h"
#include "scheduler/sequence.h"
#include "scheduler/step_plan.h"

namespace quire {

// A step's input as the runner takes it: the tokens of all sequences on one flat axis.
//
//   token_ids   [ a a a | b | c c ]     three sequences with 3, 1 and 2 new tokens
//   previous    [ - a a | x | y c ]     the token before each, which may be in the cache already
//   cumulative  [ 0       3   4     6 ]
//   logits      row 2, row 3, row 5     the last token of each, if its logits are wanted
//
// Owns the arrays that input() points to.
class PackedBatch {
 public:
  using FindSequence = std::function<const Sequence&(SequenceId)>;

  // Packs the given entries of a plan; `find` knows every sequence in it.
  PackedBatch(const std::vector<ScheduledSequence>& scheduled, const FindSequence& find);

  ModelInput input() const;
  int num_logits() const { return static_cast<int>(logits_indices_.size()); }

 private:
  std::vector<TokenId> token_ids_;
  std::vector<TokenId> previous_ids_;
  std::vector<std::int32_t> cumulative_sequence_lengths_;
  std::vector<std::int32_t> past_sequence_lengths_;
  std::vector<std::int32_t> block_table_;
  std::vector<std::int64_t> logits_indices_;
  int max_blocks_ = 0;
};

}  // namespace quire
