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

#include "quire/chat.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/output.h"
#include "quire/result.h"
#include "quire/sampling_params.h"
#include "quire/tokenizer.h"

namespace quire {

// What to continue: plain text, a conversation (rendered with the package's chat template), or ids.
using Prompt = std::variant<std::string, std::vector<ChatMessage>, std::vector<TokenId>>;

// One prompt with its own parameters.
struct GenerateRequest {
  Prompt prompt;
  SamplingParams params = {};
  int priority = 0;             // lower runs first
  std::string cache_salt = {};  // prompts share cached blocks only under the same salt
  // For the chat template of a conversation: a JSON array of tools, and a JSON object of further
  // variables, such as enable_thinking. Empty for none.
  std::string tools_json = {};
  std::string template_context_json = {};
};

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

  // From parts of one's own. Without a tokenizer, prompts must be ids and outputs have no text.
  // `eos_ids` end a text.
  Llm(const EngineOptions& options,
      std::unique_ptr<ModelRunner> runner,
      std::unique_ptr<Tokenizer> tokenizer,
      std::vector<TokenId> eos_ids = {});

  Llm(Llm&&) noexcept;
  Llm& operator=(Llm&&) noexcept;
  ~Llm();

  // Answers all prompts, batched, in their order. A prompt that fails has its error in its output
  // and leaves the others alone.
  std::vector<RequestOutput> generate(std::span<const GenerateRequest> requests,
                                      const ProgressCallback& on_progress = {});
  std::vector<RequestOutput> generate(std::span<const Prompt> prompts,
                                      const SamplingParams& params,
                                      const ProgressCallback& on_progress = {});

  // Answers one prompt and hands over its text as it comes.
  RequestOutput stream(const Prompt& prompt,
                       const SamplingParams& params,
                       const DeltaCallback& on_delta);

  // The engine underneath, for callers with a loop of their own: queue requests, step until
  // has_unfinished() is false, cancel at will.
  Result<std::uint64_t> submit(const GenerateRequest& request);
  StepOutput step();
  bool cancel(std::uint64_t request_id);
  bool has_unfinished() const;
  EngineStats stats() const;

  // Ids of a prompt as the engine gets them.
  Result<std::vector<TokenId>> tokenize(const Prompt& prompt) const;
  Result<std::vector<TokenId>> tokenize(const GenerateRequest& request) const;

  bool has_chat_template() const;
  // What the package's generation_config.json recommends; greedy where it says nothing.
  const SamplingParams& recommended_params() const;
  std::optional<int> recommended_max_tokens() const;
  const Tokenizer* tokenizer() const;  // null without one; lives as long as this
  ModelRunner& runner();

 private:
  struct Impl;
  explicit Llm(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quire
