#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "quire/sampling_params.h"
#include "quire/types.h"

namespace quire {

// What a sequence has produced, as far as penalties ask. Kept up to date by the sequence's owner.
struct TokenCounts {
  std::unordered_map<TokenId, int> output;  // how often each id was generated
  std::unordered_map<TokenId, int> prompt;  // filled only when a repetition penalty is set
};

// What a constraint lets come next.
struct LogitsConstraint {
  bool active = false;                  // false: everything
  std::span<const std::uint64_t> mask;  // a bit a token; what lies beyond it may not come
  bool may_end = false;                 // an end of sequence, or a stop id, whatever the mask says
};

// What process_logits() looks at besides the parameters.
struct LogitsContext {
  const TokenCounts* counts = nullptr;
  std::span<const TokenId> output_ids;  // generated so far, for bad words and min_tokens
  std::span<const TokenId> eos_ids;     // forbidden, with the stop ids, before min_tokens
  LogitsConstraint constraint = {};
};

// Changes the logits in place as the parameters ask, in vLLM's order: constraint, allowed ids, bad
// words and min_tokens set ids to minus infinity, then logit bias, repetition, frequency and
// presence penalty. Temperature and truncation are the sampler's.
void process_logits(const SamplingParams& params,
                    const LogitsContext& context,
                    std::span<float> logits);

}  // namespace quire
