#include "quire/sampling_params.h"

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "quire/result.h"

namespace quire {
namespace {

std::string shown(double value) {
  std::string text = std::to_string(value);
  if (const auto last = text.find_last_not_of('0'); text.find('.') != std::string::npos) {
    text.resize(text[last] == '.' ? last : last + 1);
  }
  return text;
}

Status out_of_range(std::string_view field, double value, const std::string& allowed) {
  return invalid_argument(std::string(field) + " is " + shown(value) + ", but must be " + allowed);
}

Status check_range(std::string_view field, double value, double low, double high) {
  if (std::isfinite(value) && value >= low && value <= high) return ok_status();
  return out_of_range(field, value, "from " + shown(low) + " to " + shown(high));
}

// Lower bound excluded: 0 would leave nothing to sample from or divide by it.
Status check_above_zero(std::string_view field, double value, double high) {
  if (std::isfinite(value) && value > 0 && value <= high) return ok_status();
  return out_of_range(field, value, "above 0 and at most " + shown(high));
}

Status check_count(std::string_view field, std::size_t count, int most) {
  if (count <= static_cast<std::size_t>(most)) return ok_status();
  return invalid_argument(std::string(field) + " has " + std::to_string(count) +
                          " entries, but may have " + std::to_string(most));
}

Status check_id(std::string_view field, TokenId id, int vocab_size) {
  if (id >= 0 && id < vocab_size) return ok_status();
  return invalid_argument(std::string(field) + " has token id " + std::to_string(id) +
                          ", but the model's ids are 0 to " + std::to_string(vocab_size - 1));
}

Status check_numbers(const SamplingParams& params, const SamplingLimits& limits) {
  QUIRE_TRY(check_range("n", params.n, 1, limits.max_n));
  QUIRE_TRY(check_range("max_tokens", params.max_tokens, 1, 2147483647));
  QUIRE_TRY(check_range("min_tokens", params.min_tokens, 0, params.max_tokens));
  QUIRE_TRY(check_range("temperature", params.temperature, 0, limits.max_temperature));
  QUIRE_TRY(check_range("top_k", params.top_k, -1, 2147483647));
  QUIRE_TRY(check_above_zero("top_p", params.top_p, 1));
  QUIRE_TRY(check_range("min_p", params.min_p, 0, 1));
  const double penalty = limits.max_penalty;
  QUIRE_TRY(check_range("presence_penalty", params.presence_penalty, -penalty, penalty));
  QUIRE_TRY(check_range("frequency_penalty", params.frequency_penalty, -penalty, penalty));
  QUIRE_TRY(check_above_zero(
      "repetition_penalty", params.repetition_penalty, limits.max_repetition_penalty));
  QUIRE_TRY(check_range("logprobs", params.logprobs.value_or(0), 0, limits.max_logprobs));
  QUIRE_TRY(
      check_range("max_reasoning_tokens", params.max_reasoning_tokens.value_or(0), 0, 2147483647));
  return check_range("prompt_logprobs", params.prompt_logprobs.value_or(0), 0, limits.max_logprobs);
}

Status check_stop(const SamplingParams& params, const SamplingLimits& limits) {
  QUIRE_TRY(check_count("stop", params.stop.size(), limits.max_stop_strings));
  for (const std::string& stop : params.stop) {
    if (stop.empty()) return invalid_argument("stop has an empty string");
    if (stop.size() > static_cast<std::size_t>(limits.max_stop_bytes)) {
      return invalid_argument("stop has a string of " + std::to_string(stop.size()) +
                              " bytes, but may have " + std::to_string(limits.max_stop_bytes));
    }
  }
  return ok_status();
}

Status check_token_lists(const SamplingParams& params,
                         int vocab_size,
                         const SamplingLimits& limits) {
  const int most = limits.max_token_entries;
  QUIRE_TRY(check_count("stop_token_ids", params.stop_token_ids.size(), most));
  QUIRE_TRY(check_count("logit_bias", params.logit_bias.size(), most));
  QUIRE_TRY(check_count("allowed_token_ids", params.allowed_token_ids.size(), most));
  QUIRE_TRY(check_count("bad_words", params.bad_words.size(), most));
  for (const TokenId id : params.stop_token_ids) {
    QUIRE_TRY(check_id("stop_token_ids", id, vocab_size));
  }
  for (const TokenId id : params.allowed_token_ids) {
    QUIRE_TRY(check_id("allowed_token_ids", id, vocab_size));
  }
  for (const auto& [id, bias] : params.logit_bias) {
    QUIRE_TRY(check_id("logit_bias", id, vocab_size));
    QUIRE_TRY(check_range("logit_bias", bias, -limits.max_logit_bias, limits.max_logit_bias));
  }
  for (const auto& word : params.bad_words) {
    if (word.empty()) return invalid_argument("bad_words has an empty entry");
    QUIRE_TRY(check_count("an entry of bad_words", word.size(), most));
    for (const TokenId id : word) QUIRE_TRY(check_id("bad_words", id, vocab_size));
  }
  return ok_status();
}

}  // namespace

Status validate(const SamplingParams& params, int vocab_size, const SamplingLimits& limits) {
  QUIRE_TRY(check_numbers(params, limits));
  QUIRE_TRY(check_stop(params, limits));
  return check_token_lists(params, vocab_size, limits);
}

}  // namespace quire
