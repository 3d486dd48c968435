#include "engine/generation.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
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

// Adds the token to everything that keeps track of tokens but its parts.
void append_token(Sample* sample, TokenId token) {
  sample->sequence.token_ids.push_back(token);
  ++sample->counts.output[token];
  sample->output.token_ids.push_back(token);
}

TokenPlace place_of(ToolCallTracker::Event event) {
  using Event = ToolCallTracker::Event;
  return {.kind = event == Event::kOutside ? PartKind::kText : PartKind::kToolCall,
          .begins = event == Event::kBegin,
          .shown = event == Event::kOutside || event == Event::kInside};
}

// Puts the result of the call that has just been closed behind it, as far as there is room.
void append_result(Sample* sample) {
  const Generation& generation = *sample->generation;
  bool begins = true;
  for (const TokenId token : sample->tool->answer(sample->calls.call())) {
    if (sample->sequence.num_output_tokens() >= generation.max_tokens) return;
    append_token(sample, token);
    if (generation.request.params.logprobs) {
      constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
      sample->output.logprobs.push_back({.token = token, .logprob = kUnknown, .top = {}});
    }
    const ToolMarkers& markers = sample->tool->markers();
    const bool is_marker = token == markers.result_begin || token == markers.result_end;
    sample->parts.append(
        token, {.kind = PartKind::kToolResult, .begins = begins, .shown = !is_marker}, false);
    begins = false;
  }
}

// Of the constraint that the next token has to follow; null for none. Thoughts, which come before
// the answer, are free.
grammar::Matcher* matcher_of(Sample* sample) {
  if (!sample->matcher || sample->thoughts.is_inside()) return nullptr;
  return &*sample->matcher;
}

// Adds the token that was just appended to the parts, and what a tool has to say to it.
FinishReason reason_to_finish(Sample* sample, TokenId token) {
  const Generation& generation = *sample->generation;
  const SamplingParams& params = generation.request.params;
  if (contains(generation.eos_ids, token) || contains(params.stop_token_ids, token)) {
    const PartKind kind = sample->calls.is_open() ? PartKind::kToolCall : PartKind::kText;
    sample->parts.append(token, {.kind = kind, .begins = false, .shown = false}, false);
    return FinishReason::kStop;
  }
  auto event = ToolCallTracker::Event::kOutside;
  if (sample->tool != nullptr) event = sample->calls.push(sample->tool->markers(), token);
  const bool may_stop = sample->sequence.num_output_tokens() > params.min_tokens;
  if (sample->parts.append(token, place_of(event), may_stop)) return FinishReason::kStop;
  grammar::Matcher* const matcher = matcher_of(sample);
  if (matcher != nullptr && matcher->must_end()) return FinishReason::kStop;
  if (event == ToolCallTracker::Event::kEnd) append_result(sample);
  const bool is_full = sample->sequence.num_output_tokens() >= generation.max_tokens;
  return is_full ? FinishReason::kLength : FinishReason::kNone;
}

// What the constraint lets through: of the mask, a view, and of the ends.
Result<LogitsConstraint> constraint_of(grammar::Matcher* matcher) {
  LogitsConstraint constraint{.active = true};
  QUIRE_ASSIGN(constraint.mask, matcher->mask());
  constraint.may_end = matcher->may_end();
  return constraint;
}

// Why no token could be chosen, where it was the request that forbade them all.
Status explain(Status status, std::span<const float> logits) {
  constexpr float kForbidden = -std::numeric_limits<float>::infinity();
  const auto forbidden = [](float logit) { return logit == kForbidden; };
  if (!std::ranges::all_of(logits, forbidden)) return status;
  return invalid_argument(
      "the constraint leaves no token that may come next; allow more in allowed_token_ids, "
      "bad_words or logit_bias, or in the constraint itself");
}

}  // namespace

std::unique_ptr<Sample> make_sample(Generation* generation,
                                    int sample_index,
                                    SequenceId sequence_id,
                                    const Tokenizer* tokenizer,
                                    const ToolLoop* tool) {
  const Request& request = generation->request;
  auto sample =
      std::make_unique<Sample>(Sample{.generation = generation,
                                      .parts = {tokenizer, request.params, request.continues_text},
                                      .tool = tool,
                                      .thoughts = generation->thoughts});
  if (generation->automaton) {
    const bool leading = !request.continues_text && !sample->thoughts.is_inside();
    sample->matcher.emplace(request.constraint, generation->automaton, leading);
  }
  sample->output.index = sample_index;
  Sequence& sequence = sample->sequence;
  sequence.id = sequence_id;
  sequence.sample_index = sample_index;
  sequence.priority = request.priority;
  sequence.cache_salt = request.cache_salt;
  sequence.token_ids = request.prompt_ids;
  sequence.num_prompt_tokens = static_cast<int>(request.prompt_ids.size());
  sequence.wants_prompt_logprobs = sample_index == 0 && request.params.prompt_logprobs.has_value();
  if (request.params.repetition_penalty != 1.0) {
    for (const TokenId id : request.prompt_ids) ++sample->counts.prompt[id];
  }
  return sample;
}

namespace {

// The next token as the parameters ask; the end of thoughts where they have used up their tokens.
Result<TokenId> choose(Sample* sample, std::span<float> logits) {
  const Generation& generation = *sample->generation;
  const SamplingParams& params = generation.request.params;
  if (const auto forced = sample->thoughts.forced()) return *forced;
  LogitsConstraint constraint;
  if (grammar::Matcher* const matcher = matcher_of(sample); matcher != nullptr) {
    QUIRE_ASSIGN(constraint, constraint_of(matcher));
  }
  process_logits(params,
                 {.counts = &sample->counts,
                  .output_ids = sample->sequence.output_ids(),
                  .eos_ids = generation.eos_ids,
                  .constraint = constraint},
                 logits);
  const auto position = static_cast<std::uint64_t>(sample->sequence.num_output_tokens());
  Result<TokenId> chosen =
      quire::sample(params,
                    {.seed = generation.seed,
                     .sample = static_cast<std::uint32_t>(sample->sequence.sample_index),
                     .position = position},
                    logits);
  if (!chosen && sample->matcher) return explain(chosen.error(), logits);
  return chosen;
}

}  // namespace

Status advance(Sample* sample, std::span<float> logits) {
  const SamplingParams& params = sample->generation->request.params;
  std::vector<float> raw_logits;
  if (params.logprobs) raw_logits.assign(logits.begin(), logits.end());
  QUIRE_ASSIGN(const TokenId token, choose(sample, logits));
  grammar::Matcher* const matcher = matcher_of(sample);
  sample->thoughts.push(token);
  if (params.logprobs) {
    sample->output.logprobs.push_back(compute_logprobs(raw_logits, token, *params.logprobs));
  }
  append_token(sample, token);
  if (matcher != nullptr) static_cast<void>(matcher->push(token));  // false: an end
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

void take_deltas(Sample* sample, FinishReason reason, std::vector<TextDelta>* deltas) {
  std::vector<TextDelta> unsent = sample->parts.unsent(sample->output.token_ids);
  const std::vector<TokenLogprobs>& logprobs = sample->output.logprobs;
  std::size_t next = logprobs.size();  // where those of the unsent tokens begin
  for (const TextDelta& delta : unsent) next -= std::min(next, delta.token_ids.size());
  for (TextDelta& delta : unsent) {
    delta.request_id = sample->generation->id;
    delta.index = sample->output.index;
    if (logprobs.empty()) continue;
    const auto begin = logprobs.begin() + static_cast<std::ptrdiff_t>(next);
    next = std::min(next + delta.token_ids.size(), logprobs.size());
    delta.logprobs.assign(begin, logprobs.begin() + static_cast<std::ptrdiff_t>(next));
  }
  unsent.back().finish_reason = reason;
  deltas->insert(deltas->end(),
                 std::make_move_iterator(unsent.begin()),
                 std::make_move_iterator(unsent.end()));
  sample->parts.mark_sent();
}

}  // namespace quire
