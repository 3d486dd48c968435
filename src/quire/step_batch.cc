#include "quire/step_batch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quire {
namespace {

constexpr std::int32_t kUnused = -1;

}  // namespace

void StepBatch::add(std::span<const TokenId> token_ids,
                    int num_past,
                    std::span<const std::int32_t> blocks,
                    int num_logits) {
  const auto past = static_cast<std::size_t>(num_past);
  const std::span<const TokenId> added = token_ids.subspan(past);
  token_ids_.insert(token_ids_.end(), added.begin(), added.end());
  previous_ids_.push_back(past == 0 ? kNoToken : token_ids[past - 1]);
  previous_ids_.insert(previous_ids_.end(), added.begin(), added.end() - 1);
  const auto end = static_cast<std::int32_t>(token_ids_.size());
  cumulative_sequence_lengths_.push_back(end);
  if (blocks.size() > max_blocks_) widen(blocks.size());
  past_sequence_lengths_.push_back(num_past);
  block_table_.insert(block_table_.end(), blocks.begin(), blocks.end());
  block_table_.resize(past_sequence_lengths_.size() * max_blocks_, kUnused);
  for (std::int32_t row = end - num_logits; row < end; ++row) logits_indices_.push_back(row);
}

// Moves the rows of the block table apart, the last one first.
void StepBatch::widen(std::size_t max_blocks) {
  const std::size_t num_rows = past_sequence_lengths_.size();
  block_table_.resize(num_rows * max_blocks, kUnused);
  for (std::size_t row = num_rows; row-- > 0;) {
    const auto from = block_table_.begin() + static_cast<std::ptrdiff_t>(row * max_blocks_);
    const auto to = block_table_.begin() + static_cast<std::ptrdiff_t>(row * max_blocks);
    const auto width = static_cast<std::ptrdiff_t>(max_blocks_);
    std::copy_backward(from, from + width, to + width);
    std::fill(to + width, to + static_cast<std::ptrdiff_t>(max_blocks), kUnused);
  }
  max_blocks_ = max_blocks;
}

void StepBatch::clear() {
  token_ids_.clear();
  previous_ids_.clear();
  cumulative_sequence_lengths_.resize(1);
  past_sequence_lengths_.clear();
  block_table_.clear();
  logits_indices_.clear();
  max_blocks_ = 0;
}

ModelInput StepBatch::input() const {
  return {.token_ids = token_ids_,
          .previous_ids = previous_ids_,
          .cumulative_sequence_lengths = cumulative_sequence_lengths_,
          .past_sequence_lengths = past_sequence_lengths_,
          .block_table = block_table_,
          .max_blocks = static_cast<int>(max_blocks_),
          .logits_indices = logits_indices_};
}

}  // namespace quire
