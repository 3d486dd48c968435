#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/output_parts.h"
#include "engine/request.h"
#include "engine/tool_loop.h"
#include "grammar/constraint.h"
#include "quire/output.h"
#include "quire/tokenizer.h"
#include "reasoning/reasoning.h"
#include "sampling/logits_processor.h"
#include "scheduler/sequence.h"
#include "speculation/drafter.h"

namespace quire {

// A request in flight: what was asked, its samples, and the answer so far.
struct Generation;

// One sample of a request: its sequence, and what came out of it so far.
struct Sample {
  Generation* generation = nullptr;
  Sequence sequence;
  TokenCounts counts;  // of the sequence's tokens, for penalties
  OutputParts parts;
  const ToolLoop* tool = nullptr;  // null: no tool
  ToolCallTracker calls;
  ReasoningBudget thoughts;
  std::optional<grammar::Matcher> matcher;  // where it is in its constraint; none: free
  std::unique_ptr<Drafter> drafter;         // null: no speculation
  CompletionOutput output;
};

struct Generation {
  RequestId id = 0;
  Request request;
  std::uint64_t seed = 0;
  int max_tokens = 0;  // of the parameters, clamped to the context
  std::vector<TokenId> eos_ids;
  ReasoningBudget thoughts;                       // as it is before the first token of a sample
  std::shared_ptr<grammar::Automaton> automaton;  // of the request's constraint, if there is one
  std::vector<std::unique_ptr<Sample>> samples;
  int num_unfinished = 0;
  RequestOutput output;
  double arrived_ms = 0;
  double scheduled_ms = -1;  // first token planned; -1: not yet
  double first_token_ms = -1;
};

// A sample that is ready to be scheduled: the prompt, nothing computed. The tokenizer and the tool,
// either of which may be null, must outlive it.
std::unique_ptr<Sample> make_sample(Generation* generation,
                                    int sample_index,
                                    SequenceId sequence_id,
                                    const Tokenizer* tokenizer,
                                    const ToolLoop* tool);

// Chooses the next token of a sample from its logits [vocab], which it may change, and adds it to
// ids, counts and parts. Where the token closes a call that has a result, the result follows it at
// once, to be computed with the next step. Sets the output's finish_reason when the sample ends:
// the tokens of a result count as the model's own. A constraint that leaves nothing to add ends it.
// Fails without changing the sample when the logits are unusable or no token may come next.
Status advance(Sample* sample, std::span<float> logits);

// Adds log-probabilities of prompt tokens from the logits of `num_rows` positions that end before
// the sample's computed tokens do.
void record_prompt_logprobs(Sample* sample, std::span<const float> logits, int num_rows);

// Appends what is new since the last call to `deltas`: certain text and ids, one entry a part and
// one at least. The last has the `reason`. Does nothing when memory runs out.
void take_deltas(Sample* sample, FinishReason reason, std::vector<TextDelta>* deltas);

}  // namespace quire
