#include "engine/batch_packer.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace quire {

PackedBatch::PackedBatch(const std::vector<ScheduledSequence>& scheduled,
                         const FindSequence& find) {
  for (const ScheduledSequence& s : scheduled) {
    max_blocks_ = std::max(max_blocks_, static_cast<int>(find(s.id).block_table.blocks.size()));
  }
  cumulative_sequence_lengths_.push_back(0);
  for (const ScheduledSequence& s : scheduled) {
    const Sequence& sequence = find(s.id);
    const auto first = sequence.token_ids.begin() + s.num_past;
    token_ids_.insert(token_ids_.end(), first, first + s.num_new);
    previous_ids_.push_back(s.num_past == 0 ? kNoToken : *(first - 1));
    previous_ids_.insert(previous_ids_.end(), first, first + s.num_new - 1);
    const auto end = static_cast<std::int32_t>(token_ids_.size());
    cumulative_sequence_lengths_.push_back(end);
    past_sequence_lengths_.push_back(s.num_past);
    const std::vector<BlockId>& blocks = sequence.block_table.blocks;
    block_table_.insert(block_table_.end(), blocks.begin(), blocks.end());
    block_table_.resize(past_sequence_lengths_.size() * static_cast<std::size_t>(max_blocks_),
                        kNoBlock);
    for (int row = end - s.num_logits; row < end; ++row) logits_indices_.push_back(row);
  }
}

ModelInput PackedBatch::input() const {
  return {.token_ids = token_ids_,
          .previous_ids = previous_ids_,
          .cumulative_sequence_lengths = cumulative_sequence_lengths_,
          .past_sequence_lengths = past_sequence_lengths_,
          .block_table = block_table_,
          .max_blocks = max_blocks_,
          .logits_indices = logits_indices_};
}

}  // namespace quire
