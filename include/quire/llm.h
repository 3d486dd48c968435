#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "quire/engine_snapshot.h"
#include "quire/generate_request.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/output.h"
#include "quire/prompt_encoder.h"
#include "quire/result.h"
#include "quire/sampling_params.h"
#include "quire/tokenizer.h"

namespace quire {

using ProgressCallback = std::function<void(const Progress&)>;
using DeltaCallback = std::function<void(const TextDelta&)>;

// A language model that answers many prompts at once: the engine with a model, a tokenizer and a
// chat template. Not thread-safe: use one Llm from one thread. Movable; the library never prints.
//
//   auto llm = quire::Llm::open("models/smollm2-135m-instruct");
//   if (!llm) return fail(llm.error());
//   auto outputs = llm->generate(std::vector<quire::Prompt>{"Once upon a time"}, {.max_tokens =
//   32});
class Llm {
 public:
  // Opens a model package (docs/model_package.md), a folder; or one of the graphs of a folder that
  // somebody else exported, an .onnx file. kBadModel: the package cannot be used.
  static Result<Llm> open(const std::filesystem::path& package, const EngineOptions& options = {});

  // From parts of one's own: a runner, which must not be null, and perhaps a tokenizer. Without
  // one, prompts must be ids and outputs have no text. `eos_ids` end a text. The options must pass
  // validate(); those that concern a package are not looked at.
  Llm(const EngineOptions& options,
      std::unique_ptr<ModelRunner> runner,
      std::unique_ptr<Tokenizer> tokenizer,
      std::vector<TokenId> eos_ids = {});

  Llm(Llm&&) noexcept;
  Llm& operator=(Llm&&) noexcept;
  ~Llm();

  // Answers all prompts, batched, in their order. A prompt that fails has its error in its output
  // and leaves the others alone. Requests submitted before are computed along, and what they bring
  // is kept for step(). `on_progress` is called in this thread after every step.
  std::vector<RequestOutput> generate(std::span<const GenerateRequest> requests,
                                      const ProgressCallback& on_progress = {});
  std::vector<RequestOutput> generate(std::span<const Prompt> prompts,
                                      const SamplingParams& params,
                                      const ProgressCallback& on_progress = {});

  // Answers one prompt and hands over its text as it comes, in this thread; the same holds for
  // requests submitted before. Whole answer in what it returns.
  RequestOutput stream(const Prompt& prompt,
                       const SamplingParams& params,
                       const DeltaCallback& on_delta);

  // The engine underneath, for callers with a loop of their own. All from the one thread that owns
  // this Llm:
  //
  // Queues a request, tokenized here and now, and returns its number, unique in this Llm. Fails
  // without queueing: kInvalidArgument on a prompt or parameters that cannot be,
  // kResourceExhausted without memory.
  Result<std::uint64_t> submit(GenerateRequest request);
  // The same with the ids that encoder() made of its prompt, on another thread most likely.
  Result<std::uint64_t> submit(GenerateRequest request, std::vector<TokenId> prompt_ids);
  // Computes one step and hands over what came of it, also what generate() and stream() found of
  // requests that were submitted before them. Never fails: a request that does has its error in
  // `finished`.
  StepOutput step();
  // Takes a request back; it ends as kCancelled in the next step's `finished`. False: unknown or
  // finished already.
  bool cancel(std::uint64_t request_id);
  // Whether step() has anything left to do or to hand over.
  bool has_unfinished() const;
  // What the engine holds and has done so far.
  EngineStats stats() const;
  // Its books, for people who watch: who runs and waits, whose every block is, and the recorded
  // steps whose number is above `after_step`. The first call begins the record. May throw
  // std::bad_alloc.
  EngineSnapshot snapshot(std::int64_t after_step = 0);

  // Ids of a prompt as the engine gets them, with the template's options of its request.
  Result<std::vector<TokenId>> tokenize(const Prompt& prompt) const;
  Result<std::vector<TokenId>> tokenize(const GenerateRequest& request) const;
  // The same for any thread: it may be copied and used while this one steps.
  const PromptEncoder& encoder() const;

  bool has_chat_template() const;
  // What the package's generation_config.json recommends; greedy where it says nothing.
  const SamplingParams& recommended_params() const;
  std::optional<int> recommended_max_tokens() const;
  const Tokenizer* tokenizer() const;  // null without one; lives as long as this
  // The model itself, for use without the engine while no request runs.
  ModelRunner& runner();

 private:
  struct Impl;
  explicit Llm(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quire
