#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache/block_manager.h"
#include "engine/automaton_cache.h"
#include "engine/generation.h"
#include "engine/request.h"
#include "engine/step_log.h"
#include "engine/tool_loop.h"
#include "quire/engine_snapshot.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/output.h"
#include "quire/step_batch.h"
#include "quire/tokenizer.h"
#include "reasoning/reasoning.h"
#include "scheduler/scheduler.h"
#include "scheduler/sequence.h"
#include "speculation/drafter.h"
#include "speculation/step_cost.h"

namespace quire {

// What an engine is made of. The tokenizer may be missing: outputs then have token ids but no text.
struct EngineParts {
  std::unique_ptr<ModelRunner> runner;
  const Tokenizer* tokenizer = nullptr;  // must outlive the engine
  std::vector<TokenId> eos_ids;          // ids that end a text
  std::function<double()> clock_ms;      // monotonic; unset: the system's
  std::optional<ToolLoop> tool;          // that the model may call; needs a tokenizer
  // Of a sequence's drafter, where option speculate asks for one; unset: prompt lookup.
  std::function<std::unique_ptr<Drafter>()> make_drafter;
};

// Serves many requests at once over one model: continuous batching over a paged cache. A request's
// tokens depend on the request alone, not on what runs beside it. Each step is plan, run, commit,
// with plain data between, so that a caller may also run the model itself and come back. When
// memory runs out, the request it was needed for ends with kResourceExhausted, or else the last in
// order of service; the books stay sound at every allocation. Not thread-safe: one thread owns an
// engine.
class Engine {
 public:
  Engine(EngineParts parts, const EngineOptions& options);
  ~Engine();

  // Queues a request. Fails with kInvalidArgument when a parameter is out of bounds, the prompt
  // does not fit the context, or the request could never fit the cache.
  Result<RequestId> submit(Request request);

  // Takes a request back; it ends with what it has. False when there is no such request, or no
  // memory to report its end with: it then goes on.
  bool cancel(RequestId id);

  // Whether step() has anything left to do or to hand over, the end of a cancelled request too.
  bool has_unfinished() const {
    return !generations_.empty() || !output_.deltas.empty() || !output_.finished.empty();
  }

  // One step for all sequences that can run. A failure that concerns one request ends that request
  // with an error and leaves the others alone.
  StepOutput step();

  // The three parts of step(), for callers that run the model elsewhere.
  StepPlan plan();
  Status run(const StepPlan& plan, std::vector<float>* logits);
  // `logits` are those of run(), in its order; they are used up.
  void commit(const StepPlan& plan, std::span<float> logits);
  StepOutput take_output();

  EngineStats stats() const;
  // The books as they are, with the recorded steps whose number is above `after_step`. Steps are
  // recorded from the first call on. May throw std::bad_alloc, which leaves all as it was.
  EngineSnapshot snapshot(std::int64_t after_step);
  const ModelSpec& model() const { return parts_.runner->spec(); }
  ModelRunner& runner() { return *parts_.runner; }

 private:
  Status check(const Request& request) const;
  Result<RequestId> add(Request request);
  void forget(RequestId id);
  void step_once();
  void give_up_last();
  void add_sample(Generation* generation, int sample_index);
  void add_other_samples(Generation* generation);
  void note_scheduled(const StepPlan& plan);
  void run_each_alone(const StepPlan& plan);
  void commit_one(Sample* sample, const ScheduledSequence& scheduled, std::span<float> logits);
  Result<int> commit_tokens(Sample* sample, int num_draft, std::span<float> logits);
  void note_token(Sample* sample);
  void draft(Sample* sample);
  void finish_or_go_on(Sample* sample);
  void finish_sample(Sample* sample, FinishReason reason);
  void finish_generation(Generation* generation);
  void end(Generation* generation, FinishReason reason, Status error);
  void end_failed();
  void expire();

  ReasoningBudget thoughts_of(const Request& request) const;

  EngineParts parts_;
  EngineOptions options_;
  std::optional<ReasoningMarkers> reasoning_;  // of a model that thinks
  BlockManager block_manager_;
  Scheduler scheduler_;
  AutomatonCache automata_;
  StepCost step_cost_;  // learnt only where speculation is on
  std::unordered_map<RequestId, std::unique_ptr<Generation>> generations_;
  std::unordered_map<SequenceId, Sample*> samples_;  // every unfinished one
  std::set<std::pair<double, RequestId>> deadlines_;
  bool some_failed_ = false;          // a generation in flight has an error and must end
  std::vector<TokenId> drafted_ids_;  // a sequence and its draft behind it
  // Of the last step; kept, because making room for it takes longer than reading it.
  StepBatch batch_;  // of the step that runs
  std::vector<float> logits_;
  StepOutput output_;  // gathered until the next take_output()
  RequestId next_request_id_ = 1;
  SequenceId next_sequence_id_ = 1;
  std::uint64_t next_seed_;
  EngineStats stats_;
  StepLog step_log_;
};

}  // namespace quire
