#include "engine/generation.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sampling/logits_processor.h"
#include "sampling/sampler.h"

namespace quire {
namespace {

bool contains(std::span<const TokenId> ids, TokenId id) {
  return std::ranges::find(ids, id) != ids.end();
}

// Adds the token to everything that keeps track of tokens.
void append_token(Sample* sample, TokenId token) {
  sample->sequence.token_ids.push_back(token);
  ++sample->sequence.counts.output[token];
  sample->output.token_ids.push_back(token);
}

FinishReason reason_to_finish(Sample* sample, TokenId token) {
  const Generation& generation = *sample->generation;
  const SamplingParams& params = generation.request.params;
  if (contains(generation.eos_ids, token) || contains(params.stop_token_ids, token)) {
    return FinishReason::kStop;
  }
  const int num_output = sample->sequence.num_output_tokens();
  if (sample->text && sample->text->append(token, num_output > params.min_tokens)) {
    return FinishReason::kStop;
  }
  return num_output >= generation.max_tokens ? FinishReason::kLength : FinishReason::kNone;
}

}  // namespace

std::unique_ptr<Sample> make_sample(Generation* generation,
                                    int sample_index,
                                    SequenceId sequence_id,
                                    const Tokenizer* tokenizer) {
  const Request& request = generation->request;
  auto sample = std::make_unique<Sample>();
  sample->generation = generation;
  sample->output.index = sample_index;
  Sequence& sequence = sample->sequence;
  sequence.id = sequence_id;
  sequence.request_id = generation->id;
  sequence.sample_index = sample_index;
  sequence.priority = request.priority;
  sequence.cache_salt = request.cache_salt;
  sequence.token_ids = request.prompt_ids;
  sequence.num_prompt_tokens = static_cast<int>(request.prompt_ids.size());
  sequence.wants_prompt_logprobs = sample_index == 0 && request.params.prompt_logprobs.has_value();
  if (request.params.repetition_penalty != 1.0) {
    for (const TokenId id : request.prompt_ids) ++sequence.counts.prompt[id];
  }
  if (tokenizer != nullptr) {
    sample->text.emplace(*tokenizer,
                         request.params.stop,
                         request.params.include_stop_str_in_output,
                         request.params.skip_special_tokens);
  }
  return sample;
}

Status advance(Sample* sample, std::span<float> logits) {
  const Generation& generation = *sample->generation;
  const SamplingParams& params = generation.request.params;
  Sequence& sequence = sample->sequence;
  std::vector<float> raw_logits;
  if (params.logprobs) raw_logits.assign(logits.begin(), logits.end());
  process_logits(params,
                 {.counts = &sequence.counts,
                  .output_ids = sequence.output_ids(),
                  .eos_ids = generation.eos_ids},
                 logits);
  QUIRE_ASSIGN(const TokenId token,
               quire::sample(params,
                             {.seed = generation.seed,
                              .sample = static_cast<std::uint32_t>(sequence.sample_index),
                              .position = static_cast<std::uint64_t>(sequence.num_output_tokens())},
                             logits));
  if (params.logprobs) {
    sample->output.logprobs.push_back(compute_logprobs(raw_logits, token, *params.logprobs));
  }
  append_token(sample, token);
  sample->output.finish_reason = reason_to_finish(sample, token);
  return ok_status();
}

void record_prompt_logprobs(Sample* sample, std::span<const float> logits, int num_rows) {
  Sequence& sequence = sample->sequence;
  const std::size_t vocab = logits.size() / static_cast<std::size_t>(num_rows);
  const int num_top = sample->generation->request.params.prompt_logprobs.value_or(0);
  std::vector<TokenLogprobs>* recorded = &sample->generation->output.prompt_logprobs;
  const int first = sequence.num_computed_tokens - num_rows;
  for (int row = 0; row < num_rows; ++row) {
    const int position = first + row;
    if (position < sequence.num_prompt_logprob_rows) continue;  // seen before a preemption
    if (position >= sequence.num_prompt_tokens) return;
    sequence.num_prompt_logprob_rows = position + 1;
    if (position + 1 == sequence.num_prompt_tokens) return;  // predicts what is generated
    const TokenId next = sequence.token_ids[static_cast<std::size_t>(position) + 1];
    recorded->push_back(compute_logprobs(
        logits.subspan(static_cast<std::size_t>(row) * vocab, vocab), next, num_top));
  }
}

TextDelta take_delta(Sample* sample) {
  TextDelta delta{.request_id = sample->generation->id,
                  .index = sample->output.index,
                  .text = {},
                  .token_ids = {},
                  .finish_reason = sample->output.finish_reason};
  if (sample->text) {
    delta.text = std::string(sample->text->text().substr(sample->num_text_sent));
    sample->num_text_sent += delta.text.size();
  }
  const std::vector<TokenId>& ids = sample->output.token_ids;
  delta.token_ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(sample->num_tokens_sent),
                         ids.end());
  sample->num_tokens_sent = ids.size();
  return delta;
}

}  // namespace quire
