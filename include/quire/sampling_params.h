#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quire/status.h"
#include "quire/structured_output.h"
#include "quire/types.h"

namespace quire {

// How the continuation of one prompt is chosen. Names and meanings are vLLM's; the defaults are
// those of `quire generate`: greedy, 256 tokens. Checked by validate() wherever a request enters.
struct SamplingParams {
  int n = 1;             // samples of the prompt; their full prompt blocks are shared
  int max_tokens = 256;  // new tokens at most; clamped to what the context leaves
  int min_tokens = 0;    // no end of sequence and no stop before this many

  double temperature = 0.0;  // 0: greedy
  int top_k = 0;             // 0 or -1: off
  double top_p = 1.0;        // 1: off
  double min_p = 0.0;        // 0: off; keeps tokens with at least min_p times the best probability
  double presence_penalty = 0.0;   // subtracted once from the logit of every generated token
  double frequency_penalty = 0.0;  // subtracted once for each time it was generated
  double repetition_penalty =
      1.0;  // divides (or multiplies, below 0) logits of tokens seen, prompt too
  std::optional<std::uint64_t> seed = {};  // unset: drawn by the engine

  std::vector<std::string> stop = {};        // strings that end the text and are cut off it
  std::vector<TokenId> stop_token_ids = {};  // further ids that end the text
  bool ignore_eos = false;
  bool include_stop_str_in_output = false;

  std::vector<std::pair<TokenId, double>> logit_bias = {};
  std::vector<TokenId> allowed_token_ids = {};       // empty: all
  std::vector<std::vector<TokenId>> bad_words = {};  // token sequences that must not be completed

  std::optional<int> logprobs = {};  // log-probabilities of that many best tokens at each step
  std::optional<int> prompt_logprobs = {};  // the same for the prompt
  bool skip_special_tokens = true;          // leave special tokens out of the text
  // Tokens of thoughts at most, for a model that has markers for them; after so many the end of its
  // thoughts is written for it, and it goes on with the answer. Unset: any number.
  std::optional<int> max_reasoning_tokens = {};

  StructuredOutput structured_output = {};  // what the text must follow
};

// The bounds that validate() holds parameters to: one table for every way in.
struct SamplingLimits {
  int max_n = 128;
  double max_temperature = 5.0;
  double max_penalty = 2.0;
  double max_repetition_penalty = 10.0;
  int max_token_entries = 1024;  // logit_bias, allowed_token_ids, stop_token_ids, bad_words
  double max_logit_bias = 100.0;
  int max_logprobs = 20;
  int max_stop_strings = 16;
  int max_stop_bytes = 256;
};

// Fails with kInvalidArgument and a message that names the field. `vocab_size` is the width of the
// model's logits: every token id in the parameters must be below it.
Status validate(const SamplingParams& params, int vocab_size, const SamplingLimits& limits = {});

}  // namespace quire
