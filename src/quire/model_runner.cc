#include "quire/model_runner.h"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace quire {

Result<std::vector<float>> ModelRunner::forward(std::span<const TokenId> ids) {
  const ModelSpec& model = spec();
  const std::size_t most = std::min(
      static_cast<std::size_t>(model.max_seq_len),
      static_cast<std::size_t>(model.num_kv_blocks) * static_cast<std::size_t>(model.block_size));
  if (ids.empty() || ids.size() > most) {
    return invalid_argument("a forward pass takes 1 to " + std::to_string(most) + " tokens, not " +
                            std::to_string(ids.size()));
  }
  for (const TokenId id : ids) {
    if (id < 0 || id >= model.vocab_size) {
      return invalid_argument("token id " + std::to_string(id) + " is outside the model's 0 to " +
                              std::to_string(model.vocab_size - 1));
    }
  }
  const auto block_size = static_cast<std::size_t>(model.block_size);
  std::vector<std::int32_t> blocks((ids.size() + block_size - 1) / block_size);
  std::iota(blocks.begin(), blocks.end(), 0);
  std::vector<std::int64_t> rows(ids.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<TokenId> previous = {kNoToken};
  previous.insert(previous.end(), ids.begin(), ids.end() - 1);
  const std::vector<std::int32_t> cumulative = {0, static_cast<std::int32_t>(ids.size())};
  const std::vector<std::int32_t> past = {0};
  std::vector<float> logits;
  QUIRE_TRY(run({.token_ids = ids,
                 .previous_ids = previous,
                 .cumulative_sequence_lengths = cumulative,
                 .past_sequence_lengths = past,
                 .block_table = blocks,
                 .max_blocks = static_cast<int>(blocks.size()),
                 .logits_indices = rows},
                &logits));
  return logits;
}

}  // namespace quire
