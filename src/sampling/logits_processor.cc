#include "sampling/logits_processor.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace quire {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

float& at(std::span<float> logits, TokenId id) { return logits[static_cast<std::size_t>(id)]; }

void keep_allowed(std::span<const TokenId> allowed, std::span<float> logits) {
  std::vector<float> kept;
  kept.reserve(allowed.size());
  for (const TokenId id : allowed) kept.push_back(at(logits, id));
  std::ranges::fill(logits, kForbidden);
  for (std::size_t i = 0; i < allowed.size(); ++i) at(logits, allowed[i]) = kept[i];
}

// Forbids what the mask lacks, 64 ids at a time; ends keep their logits where the text may end.
void keep_constrained(const SamplingParams& params,
                      const LogitsContext& context,
                      std::span<float> logits) {
  std::vector<std::pair<TokenId, float>> ends;
  if (context.constraint.may_end) {
    for (const TokenId id : context.eos_ids) ends.emplace_back(id, at(logits, id));
    for (const TokenId id : params.stop_token_ids) ends.emplace_back(id, at(logits, id));
  }
  const auto mask = context.constraint.mask;
  for (std::size_t begin = 0; begin < logits.size(); begin += 64) {
    const auto block = logits.subspan(begin, std::min<std::size_t>(64, logits.size() - begin));
    const std::uint64_t word = begin / 64 < mask.size() ? mask[begin / 64] : 0;
    if (word == 0) {
      std::ranges::fill(block, kForbidden);
    } else if (word != ~std::uint64_t{0}) {
      for (std::size_t i = 0; i < block.size(); ++i) {
        if ((word >> i & 1U) == 0) block[i] = kForbidden;
      }
    }
  }
  for (const auto& [id, logit] : ends) at(logits, id) = logit;
}

// Forbids the last id of each bad word whose other ids are the end of the output.
void forbid_bad_words(std::span<const std::vector<TokenId>> bad_words,
                      std::span<const TokenId> output,
                      std::span<float> logits) {
  for (const std::vector<TokenId>& word : bad_words) {
    const std::size_t before = word.size() - 1;
    if (before > output.size()) continue;
    if (std::ranges::equal(output.last(before), std::span(word).first(before))) {
      at(logits, word.back()) = kForbidden;
    }
  }
}

void forbid_ends(const SamplingParams& params,
                 std::span<const TokenId> eos_ids,
                 std::span<float> logits) {
  for (const TokenId id : params.stop_token_ids) at(logits, id) = kForbidden;
  for (const TokenId id : eos_ids) at(logits, id) = kForbidden;
}

void repeat_penalty(float penalty, TokenId id, std::span<float> logits) {
  float& logit = at(logits, id);
  logit = logit > 0 ? logit / penalty : logit * penalty;
}

void apply_penalties(const SamplingParams& params,
                     const TokenCounts& counts,
                     std::span<float> logits) {
  if (params.repetition_penalty != 1.0) {
    const auto penalty = static_cast<float>(params.repetition_penalty);
    for (const auto& [id, count] : counts.prompt) repeat_penalty(penalty, id, logits);
    for (const auto& [id, count] : counts.output) {
      if (!counts.prompt.contains(id)) repeat_penalty(penalty, id, logits);
    }
  }
  if (params.frequency_penalty == 0.0 && params.presence_penalty == 0.0) return;
  for (const auto& [id, count] : counts.output) {
    at(logits, id) -= static_cast<float>(params.frequency_penalty) * static_cast<float>(count);
    at(logits, id) -= static_cast<float>(params.presence_penalty);
  }
}

}  // namespace

void process_logits(const SamplingParams& params,
                    const LogitsContext& context,
                    std::span<float> logits) {
  if (context.constraint.active) keep_constrained(params, context, logits);
  if (!params.allowed_token_ids.empty()) keep_allowed(params.allowed_token_ids, logits);
  forbid_bad_words(params.bad_words, context.output_ids, logits);
  if (static_cast<int>(context.output_ids.size()) < params.min_tokens) {
    forbid_ends(params, context.eos_ids, logits);
  }
  for (const auto& [id, bias] : params.logit_bias) at(logits, id) += static_cast<float>(bias);
  apply_penalties(params, *context.counts, logits);
}

}  // namespace quire
