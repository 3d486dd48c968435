#include "quire/llm.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/out_of_memory.h"
#include "engine/engine.h"
#include "llm/backends.h"
#include "llm/encoder_parts.h"
#include "llm/end_ids.h"
#include "llm/package_parts.h"
#include "llm/text_parts.h"
#include "llm/tool_answers.h"
#include "package/model_package.h"

namespace quire {

struct Llm::Impl {
  Impl(const EngineOptions& options,
       std::unique_ptr<ModelRunner> runner,
       std::shared_ptr<const PromptEncoder::Parts> parts,
       std::vector<TokenId> eos_ids,
       std::optional<ToolLoop> tool = {})
      : encoder(std::move(parts)),
        engine({.runner = std::move(runner),
                .tokenizer = encoder.tokenizer(),
                .eos_ids = std::move(eos_ids),
                .clock_ms = {},
                .tool = std::move(tool)},
               options) {}

  // Keeps the deltas of requests that the caller of this step does not wait for.
  template <typename IsAwaited>
  void keep_deltas(const StepOutput& output, const IsAwaited& is_awaited) {
    for (const TextDelta& delta : output.deltas) {
      if (!is_awaited(delta.request_id)) kept.deltas.push_back(delta);
    }
  }

  PromptEncoder encoder;  // before the engine, which uses its tokenizer
  Engine engine;
  StepOutput kept;  // of other requests than those that generate() or stream() waited for
  SamplingParams recommended;
  std::optional<int> recommended_max_tokens;
};

namespace {

using Clock = std::chrono::steady_clock;

// Ids beyond the model's logits cannot be drawn.
std::vector<TokenId> ids_of(const std::vector<EndId>& ends, int vocab_size) {
  std::vector<TokenId> ids;
  for (const EndId& end : ends) {
    if (end.id < vocab_size) ids.push_back(end.id);
  }
  return ids;
}

RequestOutput failed(Status error) {
  RequestOutput output;
  output.error = std::move(error);
  return output;
}

Status check_vocabulary(const std::filesystem::path& folder,
                        const Tokenizer* tokenizer,
                        const GenerationDefaults& defaults,
                        int vocab_size) {
  // Added tokens may lie beyond the logits (Gemma 3 has one so): only a prompt that spells one
  // fails.
  constexpr int kMostAddedTokens = 1024;
  if (tokenizer != nullptr && tokenizer->vocab_size() - kMostAddedTokens > vocab_size) {
    return bad_model(folder.string() + " has a tokenizer of " +
                     std::to_string(tokenizer->vocab_size()) + " ids for a model of " +
                     std::to_string(vocab_size) + "; they do not belong together");
  }
  for (const TokenId id : defaults.eos_ids) {
    if (id < vocab_size) continue;
    return bad_model((folder / "generation_config.json").string() + " ends texts at id " +
                     std::to_string(id) +
                     ", which the model does not have; check the file, or copy the package again");
  }
  return ok_status();
}

// A large tokenizer takes as long as the weights, so it is read while they are packed; afterwards
// where no thread can be had.
std::future<Result<TextParts>> begin_text_parts(const ModelPackage& package,
                                                const EngineOptions& options) {
  const auto load = [&package, &options] {
    return fail_if_out_of_memory([&] { return load_text_parts(package, options.tool_format); });
  };
  try {
    return std::async(std::launch::async, load);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, load);
  }
}

std::shared_ptr<const PromptEncoder::Parts> parts_of(std::unique_ptr<Tokenizer> tokenizer) {
  auto parts = std::make_shared<PromptEncoder::Parts>();
  parts->tokenizer = std::move(tokenizer);
  return parts;
}

}  // namespace

Result<Llm> Llm::open(const std::filesystem::path& path, const EngineOptions& options) {
  QUIRE_TRY(validate(options));
  QUIRE_ASSIGN(const ModelPackage package, open_package(path));
  const std::filesystem::path& folder = package.folder;
  std::future<Result<TextParts>> loading = begin_text_parts(package, options);
  QUIRE_TRY(check_package_files(package));
  auto opened = open_runner(package, options);
  QUIRE_ASSIGN(TextParts parts, loading.get());
  const Tokenizer* tokenizer = parts.encoder->tokenizer.get();
  QUIRE_ASSIGN(auto tool, make_tool_loop(package, options.tools, tokenizer));
  QUIRE_ASSIGN(auto runner, std::move(opened));
  const int vocab_size = runner->spec().vocab_size;
  QUIRE_TRY(check_vocabulary(folder, tokenizer, parts.defaults, vocab_size));
  const auto& chat = parts.encoder->chat_format;
  const std::vector<EndId> ends =
      find_end_ids(package, parts.defaults, tokenizer, chat ? &*chat : nullptr);
  auto impl = std::make_unique<Impl>(options,
                                     std::move(runner),
                                     std::move(parts.encoder),
                                     ids_of(ends, vocab_size),
                                     std::move(tool));
  impl->recommended = std::move(parts.defaults.params);
  impl->recommended_max_tokens = parts.defaults.max_tokens;
  return Llm(std::move(impl));
}

Llm::Llm(const EngineOptions& options,
         std::unique_ptr<ModelRunner> runner,
         std::unique_ptr<Tokenizer> tokenizer,
         std::vector<TokenId> eos_ids)
    : impl_(std::make_unique<Impl>(
          options, std::move(runner), parts_of(std::move(tokenizer)), std::move(eos_ids))) {}

Llm::Llm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Llm::Llm(Llm&&) noexcept = default;
Llm& Llm::operator=(Llm&&) noexcept = default;
Llm::~Llm() = default;

Result<std::vector<TokenId>> Llm::tokenize(const Prompt& prompt) const {
  return tokenize(GenerateRequest{.prompt = prompt});
}

Result<std::vector<TokenId>> Llm::tokenize(const GenerateRequest& request) const {
  return impl_->encoder.encode(request);
}

const PromptEncoder& Llm::encoder() const { return impl_->encoder; }

Result<std::uint64_t> Llm::submit(GenerateRequest request) {
  return fail_if_out_of_memory([&]() -> Result<std::uint64_t> {
    QUIRE_ASSIGN(std::vector<TokenId> ids, tokenize(request));
    keep_tool_markers(impl_->encoder, &request);
    QUIRE_TRY(constrain_call(impl_->encoder, &request));
    return submit(std::move(request), std::move(ids));
  });
}

Result<std::uint64_t> Llm::submit(GenerateRequest request, std::vector<TokenId> prompt_ids) {
  return fail_if_out_of_memory([&]() -> Result<std::uint64_t> {
    if (!request.constraint) {
      QUIRE_ASSIGN(request.constraint, impl_->encoder.compile(request.params));
    }
    request.params.structured_output = {};  // it is read
    const bool continues_text = request.continue_final_message || request.tool_choice.required ||
                                std::holds_alternative<std::string>(request.prompt);
    return impl_->engine.submit({.prompt_ids = std::move(prompt_ids),
                                 .params = std::move(request.params),
                                 .priority = request.priority,
                                 .cache_salt = std::move(request.cache_salt),
                                 .timeout_ms = request.timeout_ms,
                                 .continues_text = continues_text,
                                 .constraint = std::move(request.constraint)});
  });
}

std::vector<RequestOutput> Llm::generate(std::span<const GenerateRequest> requests,
                                         const ProgressCallback& on_progress) {
  const auto start = Clock::now();
  const EngineStats before = stats();
  Progress progress;
  progress.num_prompts = static_cast<int>(requests.size());
  std::vector<RequestOutput> outputs(requests.size());
  std::unordered_map<std::uint64_t, std::size_t> index_of;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Result<std::uint64_t> id = submit(requests[i]);
    if (id) {
      index_of[*id] = i;
      progress.num_expected_tokens +=
          static_cast<std::int64_t>(requests[i].params.max_tokens) * requests[i].params.n;
    } else {
      outputs[i] = failed(id.error());
      ++progress.num_finished;
    }
  }
  while (!index_of.empty() && impl_->engine.has_unfinished()) {
    StepOutput output = impl_->engine.step();
    impl_->keep_deltas(output, [&](std::uint64_t id) { return index_of.contains(id); });
    for (RequestOutput& finished : output.finished) {
      const auto found = index_of.find(finished.request_id);
      if (found == index_of.end()) {  // submitted by the caller before this call
        impl_->kept.finished.push_back(std::move(finished));
        continue;
      }
      const SamplingParams& params = requests[found->second].params;
      progress.num_expected_tokens -= static_cast<std::int64_t>(params.max_tokens) * params.n;
      for (const CompletionOutput& sample : finished.outputs) {
        progress.num_expected_tokens += static_cast<std::int64_t>(sample.token_ids.size());
      }
      read_tool_calls(impl_->encoder, requests[found->second], &finished);
      outputs[found->second] = std::move(finished);
      index_of.erase(found);
      ++progress.num_finished;
    }
    if (!on_progress) continue;
    progress.stats = stats();
    progress.stats.num_prompt_tokens -= before.num_prompt_tokens;
    progress.stats.num_generated_tokens -= before.num_generated_tokens;
    progress.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    on_progress(progress);
  }
  return outputs;
}

std::vector<RequestOutput> Llm::generate(std::span<const Prompt> prompts,
                                         const SamplingParams& params,
                                         const ProgressCallback& on_progress) {
  std::vector<GenerateRequest> requests;
  requests.reserve(prompts.size());
  for (const Prompt& prompt : prompts) requests.push_back({.prompt = prompt, .params = params});
  return generate(requests, on_progress);
}

RequestOutput Llm::stream(const Prompt& prompt,
                          const SamplingParams& params,
                          const DeltaCallback& on_delta) {
  const Result<std::uint64_t> id = submit({.prompt = prompt, .params = params});
  if (!id) return failed(id.error());
  std::optional<RequestOutput> answer;
  while (!answer && impl_->engine.has_unfinished()) {
    StepOutput output = impl_->engine.step();
    impl_->keep_deltas(output, [&](std::uint64_t other) { return other == *id; });
    for (const TextDelta& delta : output.deltas) {
      if (delta.request_id == *id) on_delta(delta);
    }
    for (RequestOutput& finished : output.finished) {
      if (finished.request_id == *id) {
        answer = std::move(finished);
      } else {
        impl_->kept.finished.push_back(std::move(finished));
      }
    }
  }
  return answer ? *std::move(answer) : failed(internal_error("the request was lost"));
}

StepOutput Llm::step() {
  StepOutput output = std::exchange(impl_->kept, {});
  if (!impl_->engine.has_unfinished()) return output;
  StepOutput more = impl_->engine.step();
  std::ranges::move(more.deltas, std::back_inserter(output.deltas));
  std::ranges::move(more.finished, std::back_inserter(output.finished));
  return output;
}
bool Llm::cancel(std::uint64_t request_id) { return impl_->engine.cancel(request_id); }
bool Llm::has_unfinished() const {
  return impl_->engine.has_unfinished() || !impl_->kept.finished.empty() ||
         !impl_->kept.deltas.empty();
}
EngineStats Llm::stats() const { return impl_->engine.stats(); }
EngineSnapshot Llm::snapshot(std::int64_t after_step) { return impl_->engine.snapshot(after_step); }
bool Llm::has_chat_template() const { return impl_->encoder.has_chat_template(); }
const SamplingParams& Llm::recommended_params() const { return impl_->recommended; }
std::optional<int> Llm::recommended_max_tokens() const { return impl_->recommended_max_tokens; }
const Tokenizer* Llm::tokenizer() const { return impl_->encoder.tokenizer(); }
ModelRunner& Llm::runner() { return impl_->engine.runner(); }

}  // namespace quire
