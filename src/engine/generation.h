#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/output_text.h"
#include "quire/output.h"
#include "quire/tokenizer.h"
#include "request/request.h"
#include "request/sequence.h"

namespace quire {

// A request in flight: what was asked, its samples, and the answer so far.
struct Generation;

// One sample of a request: its sequence, and what came out of it so far.
struct Sample {
  Generation* generation = nullptr;
  Sequence sequence;
  std::optional<OutputText> text;  // unset without a tokenizer
  CompletionOutput output;
  std::size_t num_text_sent = 0;  // bytes and ids that earlier deltas carried
  std::size_t num_tokens_sent = 0;
};

struct Generation {
  RequestId id = 0;
  Request request;
  std::uint64_t seed = 0;
  int max_tokens = 0;  // of the parameters, clamped to the context
  std::vector<TokenId> eos_ids;
  std::vector<std::unique_ptr<Sample>> samples;
  int num_unfinished = 0;
  RequestOutput output;
  double arrived_ms = 0;
  double scheduled_ms = -1;  // first token planned; -1: not yet
  double first_token_ms = -1;
};

// A sample that is ready to be scheduled: the prompt, nothing computed.
std::unique_ptr<Sample> make_sample(Generation* generation,
                                    int sample_index,
                                    SequenceId sequence_id,
                                    const Tokenizer* tokenizer);

// Chooses the next token of a sample from its logits [vocab], which it may change, and adds it to
// ids, counts and text. Sets the output's finish_reason when that ends the sample. Fails without
// changing the sample when the logits are unusable.
Status advance(Sample* sample, std::span<float> logits);

// Adds log-probabilities of prompt tokens from the logits of `num_rows` positions that end before
// the sample's computed tokens do.
void record_prompt_logprobs(Sample* sample, std::span<const float> logits, int num_rows);

// What is new since the last call: certain text and ids.
TextDelta take_delta(Sample* sample);

}  // namespace quire
