#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "base/out_of_memory.h"
#include "scheduler/invariants.h"
#include "speculation/prompt_lookup.h"

namespace quire {
namespace {

double system_clock_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

EngineParts with_defaults(EngineParts parts) {
  if (!parts.clock_ms) parts.clock_ms = system_clock_ms;
  if (!parts.make_drafter) parts.make_drafter = [] { return std::make_unique<PromptLookup>(); };
  return parts;
}

// So that the next push_back cannot fail.
template <typename T>
void make_room(std::vector<T>* list) {
  if (list->size() == list->capacity()) list->reserve(2 * list->size() + 8);
}

bool is_pure_decode(const StepPlan& plan) {
  return std::ranges::all_of(plan.sequences, &ScheduledSequence::is_decode);
}

int num_logits(const StepPlan& plan) {
  int sum = 0;
  for (const ScheduledSequence& scheduled : plan.sequences) sum += scheduled.num_logits;
  return sum;
}

}  // namespace

Engine::Engine(EngineParts parts, const EngineOptions& options)
    : parts_(with_defaults(std::move(parts))),
      options_(options),
      reasoning_(find_reasoning_markers(parts_.tokenizer)),
      block_manager_({.num_blocks = model().num_kv_blocks,
                      .block_size = model().block_size,
                      .prefix_cache = options.prefix_cache,
                      .hash_seed = random_seed()}),
      scheduler_(
          {.max_num_seqs = options.max_num_seqs, .max_batch_tokens = options.max_batch_tokens},
          &block_manager_),
      next_seed_(options.seed != 0 ? options.seed : random_seed()) {}

Engine::~Engine() = default;

ReasoningBudget Engine::thoughts_of(const Request& request) const {
  // Markers beyond the logits cannot be written.
  if (!reasoning_ || reasoning_->close_id >= model().vocab_size) return {};
  const bool inside = ends_in_reasoning(*reasoning_, *parts_.tokenizer, request.prompt_ids);
  constexpr int kAny = std::numeric_limits<int>::max();
  return {*reasoning_, inside, request.params.max_reasoning_tokens.value_or(kAny)};
}

Status Engine::check(const Request& request) const {
  QUIRE_TRY(validate(request.params, model().vocab_size));
  const auto num_prompt =
      static_cast<int>(std::min<std::size_t>(request.prompt_ids.size(), std::size_t{1} << 30U));
  if (num_prompt == 0) return invalid_argument("the prompt is empty");
  if (num_prompt >= model().max_seq_len) {
    return invalid_argument(
        "the prompt has " + std::to_string(num_prompt) + " tokens, but the model's context of " +
        std::to_string(model().max_seq_len) + " must hold them and at least one more");
  }
  for (const TokenId id : request.prompt_ids) {
    if (id < 0 || id >= model().vocab_size) {
      return invalid_argument("the prompt has token id " + std::to_string(id) +
                              ", but the model's ids are 0 to " +
                              std::to_string(model().vocab_size - 1));
    }
  }
  if (!request.params.stop.empty() && parts_.tokenizer == nullptr) {
    return invalid_argument("stop strings need a tokenizer, and this package has none");
  }
  return ok_status();
}

Result<RequestId> Engine::submit(Request request) {
  QUIRE_TRY(check(request));
  const RequestId id = next_request_id_;
  Result<RequestId> added =
      fail_if_out_of_memory([&]() -> Result<RequestId> { return add(std::move(request)); });
  if (!added) forget(id);
  return added;
}

Result<RequestId> Engine::add(Request request) {
  const auto num_prompt = static_cast<int>(request.prompt_ids.size());
  const int max_tokens = std::min(request.params.max_tokens, model().max_seq_len - num_prompt);
  // The last token is never fed back, so it needs no place in the cache.
  if (!scheduler_.can_ever_fit(num_prompt + max_tokens - 1)) {
    return invalid_argument(
        "the request needs room for " + std::to_string(num_prompt + max_tokens - 1) +
        " tokens, but the cache holds " +
        std::to_string(std::int64_t{block_manager_.num_blocks()} * block_manager_.block_size()) +
        "; lower max_tokens or raise option num_kv_blocks");
  }
  auto generation = std::make_unique<Generation>();
  generation->id = next_request_id_++;
  generation->max_tokens = max_tokens;
  generation->seed = request.params.seed.value_or(next_seed_++);
  if (!request.params.ignore_eos) generation->eos_ids = parts_.eos_ids;
  generation->thoughts = thoughts_of(request);
  generation->arrived_ms = parts_.clock_ms();
  generation->output.request_id = generation->id;
  generation->output.num_prompt_tokens = num_prompt;
  generation->num_unfinished = request.params.n;
  if (request.timeout_ms > 0) {
    deadlines_.emplace(generation->arrived_ms + request.timeout_ms, generation->id);
  }
  if (request.constraint) generation->automaton = automata_.find_or_make(request.constraint);
  generation->request = std::move(request);
  generation->samples.reserve(static_cast<std::size_t>(generation->request.params.n));
  generation->output.outputs.reserve(generation->samples.capacity());
  Generation* added = generation.get();
  generations_.emplace(added->id, std::move(generation));
  add_sample(added, 0);
  return added->id;
}

// Takes out what an unfinished add() left.
void Engine::forget(RequestId id) {
  const auto found = generations_.find(id);
  if (found == generations_.end()) return;
  for (const auto& sample : found->second->samples) {
    scheduler_.finish(&sample->sequence);
    samples_.erase(sample->sequence.id);
  }
  std::erase_if(deadlines_, [id](const auto& deadline) { return deadline.second == id; });
  generations_.erase(found);
}

void Engine::add_sample(Generation* generation, int sample_index) {
  auto sample = make_sample(generation,
                            sample_index,
                            next_sequence_id_++,
                            parts_.tokenizer,
                            parts_.tool ? &*parts_.tool : nullptr);
  if (options_.speculate > 0) sample->drafter = parts_.make_drafter();
  Sample* added = sample.get();
  generation->samples.push_back(std::move(sample));
  samples_[added->sequence.id] = added;
  scheduler_.add(&added->sequence);
}

// The other samples start once the first has its prompt in the cache: they share its full blocks.
void Engine::add_other_samples(Generation* generation) {
  for (int i = 1; i < generation->request.params.n; ++i) add_sample(generation, i);
}

bool Engine::cancel(RequestId id) {
  const auto found = generations_.find(id);
  if (found == generations_.end()) return false;
  return fail_if_out_of_memory([&] {
           end(found->second.get(), FinishReason::kCancelled, ok_status());
           return ok_status();
         })
      .ok();
}

StepOutput Engine::step() {
  const Status status = fail_if_out_of_memory([&] {
    step_once();
    return ok_status();
  });
  if (!status.ok()) give_up_last();
  return take_output();
}

void Engine::step_once() {
  const double start_ms = step_log_.is_on() ? parts_.clock_ms() : 0;
  const std::int64_t hits_before = block_manager_.stats().num_hit_tokens;
  const StepPlan step_plan = plan();
  if (step_plan.empty()) return;
  if (run(step_plan, &logits_).ok()) {
    commit(step_plan, logits_);
  } else {
    run_each_alone(step_plan);
  }
  if (step_log_.is_on()) {
    const std::int64_t hits = block_manager_.stats().num_hit_tokens - hits_before;
    step_log_.add(step_plan, start_ms, parts_.clock_ms(), hits);
  }
}

// A step failed for want of memory where no single request is to blame. Ending the one served last
// frees what it holds. If even that fails, it is still there, and the next step ends it.
void Engine::give_up_last() {
  const auto& queue = scheduler_.running().empty() ? scheduler_.waiting() : scheduler_.running();
  if (queue.empty()) return;
  const auto found = samples_.find(queue.rbegin()->second->id);
  if (found == samples_.end()) return;
  static_cast<void>(fail_if_out_of_memory([&] {
    end(found->second->generation, FinishReason::kError, resource_exhausted("out of memory"));
    return ok_status();
  }));
}

StepPlan Engine::plan() {
  end_failed();
  expire();
  StepPlan plan = scheduler_.plan();
  QUIRE_DCHECK(find_violations(plan, scheduler_, options_.max_batch_tokens).empty(),
               "a plan breaks its own rules");
  stats_.num_preemptions += static_cast<std::int64_t>(plan.preempted.size());
  note_scheduled(plan);
  return plan;
}

void Engine::note_scheduled(const StepPlan& plan) {
  for (const ScheduledSequence& scheduled : plan.sequences) {
    Generation* generation = samples_.at(scheduled.id)->generation;
    if (generation->scheduled_ms < 0) generation->scheduled_ms = parts_.clock_ms();
  }
}

Status Engine::run(const StepPlan& plan, std::vector<float>* logits) {
  const double began_ms = parts_.clock_ms();
  QUIRE_TRY(fail_if_out_of_memory([&] {
    batch_.clear();
    for (const ScheduledSequence& s : plan.sequences) {
      const Sequence& sequence = samples_.at(s.id)->sequence;
      const auto num_tokens = static_cast<std::size_t>(s.num_past + s.num_new);
      std::span<const TokenId> token_ids = sequence.token_ids;
      if (s.num_draft > 0) {
        drafted_ids_ = sequence.token_ids;
        drafted_ids_.insert(
            drafted_ids_.end(), sequence.draft_ids.begin(), sequence.draft_ids.end());
        token_ids = drafted_ids_;
      }
      batch_.add(
          token_ids.first(num_tokens), s.num_past, sequence.block_table.blocks, s.num_logits);
    }
    return parts_.runner->run(batch_.input(), logits);
  }));
  const auto expected =
      static_cast<std::size_t>(num_logits(plan)) * static_cast<std::size_t>(model().vocab_size);
  if (logits->size() == expected) {
    if (options_.speculate > 0 && is_pure_decode(plan)) {
      step_cost_.record(plan.num_tokens, parts_.clock_ms() - began_ms);
    }
    return ok_status();
  }
  return internal_error("the model returned " + std::to_string(logits->size()) +
                        " logits instead of " + std::to_string(expected));
}

// After a failed step: the sequences one by one, so that only those that fail alone are lost.
// A step can be run again, since it writes the same values to the same places.
void Engine::run_each_alone(const StepPlan& plan) {
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const auto found = samples_.find(scheduled.id);
    if (found == samples_.end()) continue;  // its request ended with an earlier one
    const StepPlan alone{
        .sequences = {scheduled}, .preempted = {}, .num_tokens = scheduled.num_new};
    std::vector<float> logits;
    if (Status status = run(alone, &logits); status.ok()) {
      commit(alone, logits);
    } else {
      end(found->second->generation, FinishReason::kError, std::move(status));
    }
  }
}

void Engine::commit(const StepPlan& plan, std::span<float> logits) {
  ++stats_.num_steps;
  const auto vocab = static_cast<std::size_t>(model().vocab_size);
  std::size_t row = 0;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const auto num_rows = static_cast<std::size_t>(scheduled.num_logits);
    const std::span<float> rows = logits.subspan(row * vocab, num_rows * vocab);
    row += num_rows;
    const auto found = samples_.find(scheduled.id);
    if (found == samples_.end()) continue;  // cancelled since it was planned
    Sample* sample = found->second;         // its entry may be gone when the commit fails
    Generation* generation = sample->generation;
    Status status = fail_if_out_of_memory([&] {
      commit_one(sample, scheduled, rows);
      return ok_status();
    });
    if (!status.ok()) {
      generation->output.error = std::move(status);
      some_failed_ = true;
    }
  }
  end_failed();
  QUIRE_DCHECK(find_violations(scheduler_, block_manager_).empty(), "the books are wrong");
}

// Ends the requests whose commit ran out of memory. Where even that takes more than there is, the
// next plan() tries again.
void Engine::end_failed() {
  if (!some_failed_) return;
  std::vector<Generation*> failed;
  for (const auto& [id, generation] : generations_) {
    if (!generation->output.error.ok()) failed.push_back(generation.get());
  }
  for (Generation* generation : failed) {
    end(generation, FinishReason::kError, generation->output.error);
  }
  some_failed_ = false;
}

void Engine::commit_one(Sample* sample,
                        const ScheduledSequence& scheduled,
                        std::span<float> logits) {
  Sequence& sequence = sample->sequence;
  Generation* generation = sample->generation;
  scheduler_.mark_computed(scheduled, &sequence);
  if (sequence.wants_prompt_logprobs && scheduled.num_logits > 0 && scheduled.num_draft == 0) {
    record_prompt_logprobs(sample, logits, scheduled.num_logits);
  }
  if (scheduled.num_past < sequence.num_prompt_tokens) {
    stats_.num_prompt_tokens += scheduled.num_new;
  }
  if (sequence.num_uncomputed_tokens() > 0) return;
  const Result<int> num_accepted = commit_tokens(sample, scheduled.num_draft, logits);
  if (!num_accepted) {
    end(generation, FinishReason::kError, num_accepted.error());
    return;
  }
  stats_.num_draft_tokens += scheduled.num_draft;
  stats_.num_accepted_tokens += *num_accepted;
  finish_or_go_on(sample);
}

// The next token from the row of the last real one; where it is the first of the draft, the one
// after that from the row of the first of the draft, and so on: what comes is what would have come
// one at a time. Returns how many of the draft were right.
Result<int> Engine::commit_tokens(Sample* sample, int num_draft, std::span<float> logits) {
  Sequence& sequence = sample->sequence;
  const std::vector<TokenId> draft = std::exchange(sequence.draft_ids, {});
  const auto vocab = static_cast<std::size_t>(model().vocab_size);
  std::span<float> rows = logits.last((static_cast<std::size_t>(num_draft) + 1) * vocab);
  for (int num_accepted = 0;; ++num_accepted) {
    const std::size_t num_before = sequence.token_ids.size();
    QUIRE_TRY(advance(sample, rows.first(vocab)));
    note_token(sample);
    // A tool's result may stand behind the token.
    const bool goes_on = sample->output.finish_reason == FinishReason::kNone &&
                         sequence.token_ids.size() == num_before + 1;
    if (num_accepted == num_draft || !goes_on ||
        sequence.token_ids.back() != draft[static_cast<std::size_t>(num_accepted)]) {
      return num_accepted;
    }
    scheduler_.mark_accepted(1, &sequence);
    rows = rows.subspan(vocab);
  }
}

void Engine::note_token(Sample* sample) {
  Generation* generation = sample->generation;
  ++stats_.num_generated_tokens;
  if (generation->first_token_ms >= 0) return;
  generation->first_token_ms = parts_.clock_ms();
  generation->output.num_cached_tokens = sample->sequence.num_cached_tokens;
  add_other_samples(generation);
}

// Guesses at what follows a sequence that decodes; never beyond what it may still generate.
void Engine::draft(Sample* sample) {
  Sequence& sequence = sample->sequence;
  if (!sample->drafter || sequence.num_uncomputed_tokens() != 1) return;
  const int left = sample->generation->max_tokens - sequence.num_output_tokens();
  sequence.draft_ids = sample->drafter->propose(sequence.token_ids,
                                                std::min(options_.speculate, left - 1),
                                                step_cost_.break_even(scheduler_.num_running()));
}

void Engine::finish_or_go_on(Sample* sample) {
  Generation* generation = sample->generation;
  if (sample->output.finish_reason == FinishReason::kNone) {
    take_deltas(sample, FinishReason::kNone, &output_.deltas);
    draft(sample);
    return;
  }
  finish_sample(sample, sample->output.finish_reason);
  if (generation->num_unfinished == 0) finish_generation(generation);
}

// What can run out of memory comes first, so that a sample is finished or as it was.
void Engine::finish_sample(Sample* sample, FinishReason reason) {
  sample->parts.finish();
  sample->output.text = sample->parts.text();
  sample->output.parts = sample->parts.parts();
  take_deltas(sample, reason, &output_.deltas);
  sample->output.finish_reason = reason;
  scheduler_.finish(&sample->sequence);
  samples_.erase(sample->sequence.id);
  --sample->generation->num_unfinished;
}

void Engine::end(Generation* generation, FinishReason reason, Status error) {
  for (const auto& sample : generation->samples) {
    if (samples_.contains(sample->sequence.id)) finish_sample(sample.get(), reason);
    if (sample->output.finish_reason == FinishReason::kNone) sample->output.finish_reason = reason;
  }
  generation->output.error = std::move(error);
  finish_generation(generation);
}

void Engine::finish_generation(Generation* generation) {
  make_room(&output_.finished);
  RequestOutput& output = generation->output;
  for (const auto& sample : generation->samples)
    output.outputs.push_back(std::move(sample->output));
  const auto since_arrival = [generation](double at_ms) {
    return at_ms < 0 ? 0 : at_ms - generation->arrived_ms;
  };
  output.timings = {.queued_ms = since_arrival(generation->scheduled_ms),
                    .first_token_ms = since_arrival(generation->first_token_ms),
                    .total_ms = since_arrival(parts_.clock_ms())};
  if (generation->request.timeout_ms > 0) {
    deadlines_.erase({generation->arrived_ms + generation->request.timeout_ms, generation->id});
  }
  output_.finished.push_back(std::move(output));
  generations_.erase(generation->id);
}

void Engine::expire() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= parts_.clock_ms()) {
    Generation* generation = generations_.at(deadlines_.begin()->second).get();
    end(generation,
        FinishReason::kError,
        Status(StatusCode::kDeadlineExceeded,
               "the request's time limit of " +
                   std::to_string(static_cast<long>(generation->request.timeout_ms)) +
                   " ms has passed"));
  }
}

StepOutput Engine::take_output() { return std::exchange(output_, {}); }

EngineStats Engine::stats() const {
  EngineStats stats = stats_;
  stats.num_waiting = scheduler_.num_waiting();
  stats.num_running = scheduler_.num_running();
  stats.num_blocks = block_manager_.num_blocks();
  stats.num_used_blocks = block_manager_.num_used_blocks();
  stats.num_prefix_lookup_tokens = block_manager_.stats().num_lookup_tokens;
  stats.num_prefix_hit_tokens = block_manager_.stats().num_hit_tokens;
  return stats;
}

}  // namespace quire
