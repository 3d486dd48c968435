#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quire/output.h"
#include "quire/result.h"
#include "quire/sampling_params.h"
#include "quire/types.h"

namespace quire {

// Which random number a draw takes: the same place of the same sample always takes the same one.
struct DrawPosition {
  std::uint64_t seed = 0;
  std::uint32_t sample = 0;
  std::uint64_t position = 0;
};

// Chooses one token from processed logits: the best one (the lowest id among equals) at temperature
// 0, else by temperature, min-p, top-k, top-p, in that order, and one draw. A function of its
// arguments only. Fails with kInternal when the logits hold a NaN or leave nothing to choose from.
Result<TokenId> sample(const SamplingParams& params,
                       const DrawPosition& draw,
                       std::span<const float> logits);

// Log-probabilities under softmax of the raw logits: of `token`, and of the `num_top` best ids.
TokenLogprobs compute_logprobs(std::span<const float> logits, TokenId token, int num_top);

}  // namespace quire
