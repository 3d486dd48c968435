#include "quire/model_runner.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "quire/step_batch.h"

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
  StepBatch batch;
  batch.add(ids, 0, blocks, static_cast<int>(ids.size()));
  std::vector<float> logits;
  QUIRE_TRY(run(batch.input(), &logits));
  return logits;
}

}  // namespace quire
