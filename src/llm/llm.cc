#include "quire/llm.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/out_of_memory.h"
#include "engine/engine.h"
#include "llm/end_ids.h"
#include "llm/package_parts.h"
#include "package/model_package.h"
#include "runner/graph/graph_runner.h"
#include "runner/torch/plugin_loader.h"
#ifdef QUIRE_WITH_ONNX
#include "runner/onnx/open_runner.h"
#endif

namespace quire {

struct Llm::Impl {
  Impl(const EngineOptions& options,
       std::unique_ptr<ModelRunner> runner,
       std::unique_ptr<Tokenizer> own_tokenizer,
       std::vector<TokenId> eos_ids,
       std::optional<ToolLoop> tool = {})
      : tokenizer(std::move(own_tokenizer)),
        engine({.runner = std::move(runner),
                .tokenizer = tokenizer.get(),
                .eos_ids = std::move(eos_ids),
                .clock_ms = {},
                .tool = std::move(tool)},
               options) {}

  std::unique_ptr<Tokenizer> tokenizer;
  Engine engine;
  std::optional<ChatFormat> chat_format;
  std::vector<TokenId> text_prefix;  // before plain texts, where the tokenizer itself adds nothing
  SamplingParams recommended;
  std::optional<int> recommended_max_tokens;
};

namespace {

using Clock = std::chrono::steady_clock;

#ifdef QUIRE_WITH_ONNX
constexpr bool kHasOnnx = true;
#else
constexpr bool kHasOnnx = false;
#endif

Result<std::unique_ptr<ModelRunner>> open_onnx([[maybe_unused]] const ModelPackage& package,
                                               [[maybe_unused]] const EngineOptions& options) {
  if (!package.has_backend("onnx")) {
    return bad_model(package.folder.string() +
                     " holds no ONNX graph; export it with --format onnx, or run its TorchScript "
                     "with --backend torch");
  }
#ifdef QUIRE_WITH_ONNX
  return onnx::open_onnx_runner(package, options);
#else
  return unimplemented(
      "this quire was built without ONNX Runtime; build it with -DQUIRE_WITH_ONNX=ON");
#endif
}

Result<std::unique_ptr<ModelRunner>> open_runner(const ModelPackage& package,
                                                 const EngineOptions& options) {
  if (options.backend != "auto" && options.backend != "graph" && options.backend != "onnx" &&
      options.backend != "torch") {
    return invalid_argument("--backend is \"" + options.backend.substr(0, 32) +
                            "\", but must be auto, graph, onnx or torch");
  }
  const bool graph_serves = package.graph == "paged" && package.has_backend("onnx");
  if (options.backend == "graph" && !graph_serves) {
    return bad_model(
        package.folder.string() +
        " holds no paged ONNX graph, which the backend graph runs; use --backend auto");
  }
  if (options.backend == "graph" || (options.backend == "auto" && graph_serves)) {
    return graph::open_graph_runner(package, options);
  }
  const bool onnx_serves = kHasOnnx && package.has_backend("onnx");
  const bool torch_asked = options.backend == "torch";
  const bool torch_only = package.has_backend("torchscript") && !onnx_serves;
  if (!torch_asked && !(options.backend == "auto" && torch_only)) {
    return open_onnx(package, options);
  }
  if (!package.has_backend("torchscript")) {
    return bad_model(package.folder.string() +
                     " holds no TorchScript; export it with --format torchscript or both");
  }
  return torch_backend::open_torch_runner(package, options);
}

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
  if (tokenizer != nullptr && tokenizer->vocab_size() > vocab_size) {
    return bad_model(folder.string() + " has a tokenizer of " +
                     std::to_string(tokenizer->vocab_size()) + " ids for a model of " +
                     std::to_string(vocab_size) + "; they do not belong together");
  }
  for (const TokenId id : defaults.eos_ids) {
    if (id < vocab_size) continue;
    return bad_model((folder / "generation_config.json").string() + " ends texts at id " +
                     std::to_string(id) + ", which the model does not have");
  }
  return ok_status();
}

}  // namespace

Result<Llm> Llm::open(const std::filesystem::path& path, const EngineOptions& options) {
  QUIRE_TRY(validate(options));
  QUIRE_ASSIGN(const ModelPackage package, open_package(path));
  const std::filesystem::path& folder = package.folder;
  QUIRE_TRY(check_package_files(package));
  QUIRE_ASSIGN(auto tokenizer, load_tokenizer_if_any(folder));
  QUIRE_ASSIGN(auto chat_format, load_chat_format(folder));
  QUIRE_ASSIGN(auto defaults, load_generation_defaults(folder));
  QUIRE_ASSIGN(auto tool, make_tool_loop(package, options.tools, tokenizer.get()));
  QUIRE_ASSIGN(auto runner, open_runner(package, options));
  QUIRE_TRY(check_vocabulary(folder, tokenizer.get(), defaults, runner->spec().vocab_size));
  const std::vector<EndId> ends =
      find_end_ids(package, defaults, tokenizer.get(), chat_format ? &*chat_format : nullptr);
  const int vocab_size = runner->spec().vocab_size;
  auto impl = std::make_unique<Impl>(
      options, std::move(runner), std::move(tokenizer), ids_of(ends, vocab_size), std::move(tool));
  QUIRE_ASSIGN(impl->text_prefix, load_text_prefix(folder, impl->tokenizer.get()));
  impl->chat_format = std::move(chat_format);
  impl->recommended = std::move(defaults.params);
  impl->recommended_max_tokens = defaults.max_tokens;
  return Llm(std::move(impl));
}

Llm::Llm(const EngineOptions& options,
         std::unique_ptr<ModelRunner> runner,
         std::unique_ptr<Tokenizer> tokenizer,
         std::vector<TokenId> eos_ids)
    : impl_(std::make_unique<Impl>(
          options, std::move(runner), std::move(tokenizer), std::move(eos_ids))) {}

Llm::Llm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Llm::Llm(Llm&&) noexcept = default;
Llm& Llm::operator=(Llm&&) noexcept = default;
Llm::~Llm() = default;

Result<std::vector<TokenId>> Llm::tokenize(const Prompt& prompt) const {
  return tokenize(GenerateRequest{.prompt = prompt});
}

Result<std::vector<TokenId>> Llm::tokenize(const GenerateRequest& request) const {
  const Prompt& prompt = request.prompt;
  const bool chat = std::holds_alternative<std::vector<ChatMessage>>(prompt);
  if (!chat && (!request.tools_json.empty() || !request.template_context_json.empty())) {
    return invalid_argument("tools and variables of a chat template are for messages only");
  }
  if (const auto* ids = std::get_if<std::vector<TokenId>>(&prompt)) return *ids;
  if (impl_->tokenizer == nullptr) {
    return invalid_argument("this package has no tokenizer; give prompts as token ids");
  }
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    // What the reference puts around every text, a beginning-of-sequence id for most.
    QUIRE_ASSIGN(std::vector<TokenId> ids, impl_->tokenizer->encode_special(""));
    if (ids.empty()) ids = impl_->text_prefix;
    QUIRE_ASSIGN(const std::vector<TokenId> text_ids, impl_->tokenizer->encode(*text));
    ids.insert(ids.end(), text_ids.begin(), text_ids.end());
    return ids;
  }
  const std::optional<ChatFormat>& chat_format = impl_->chat_format;
  if (!chat_format) {
    return invalid_argument("this package has no chat template; give prompts as plain text");
  }
  ChatRenderOptions options = chat_format->options;
  options.tools_json = request.tools_json;
  options.extra_context_json = request.template_context_json;
  QUIRE_ASSIGN(
      const std::vector<TextSpan> spans,
      chat_format->chat_template.render(std::get<std::vector<ChatMessage>>(prompt), options));
  return impl_->tokenizer->encode_spans(spans);
}

Result<std::uint64_t> Llm::submit(const GenerateRequest& request) {
  return fail_if_out_of_memory([&]() -> Result<std::uint64_t> {
    QUIRE_ASSIGN(std::vector<TokenId> ids, tokenize(request));
    return impl_->engine.submit({.prompt_ids = std::move(ids),
                                 .params = request.params,
                                 .priority = request.priority,
                                 .cache_salt = request.cache_salt});
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
  while (!index_of.empty() && has_unfinished()) {
    for (RequestOutput& finished : step().finished) {
      const auto found = index_of.find(finished.request_id);
      if (found == index_of.end()) continue;  // submitted by the caller before this call
      const SamplingParams& params = requests[found->second].params;
      progress.num_expected_tokens -= static_cast<std::int64_t>(params.max_tokens) * params.n;
      for (const CompletionOutput& sample : finished.outputs) {
        progress.num_expected_tokens += static_cast<std::int64_t>(sample.token_ids.size());
      }
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
  while (has_unfinished()) {
    StepOutput output = step();
    for (const TextDelta& delta : output.deltas) {
      if (delta.request_id == *id) on_delta(delta);
    }
    for (RequestOutput& finished : output.finished) {
      if (finished.request_id == *id) return std::move(finished);
    }
  }
  return failed(internal_error("the request was lost"));
}

StepOutput Llm::step() { return impl_->engine.step(); }
bool Llm::cancel(std::uint64_t request_id) { return impl_->engine.cancel(request_id); }
bool Llm::has_unfinished() const { return impl_->engine.has_unfinished(); }
EngineStats Llm::stats() const { return impl_->engine.stats(); }
bool Llm::has_chat_template() const { return impl_->chat_format.has_value(); }
const SamplingParams& Llm::recommended_params() const { return impl_->recommended; }
std::optional<int> Llm::recommended_max_tokens() const { return impl_->recommended_max_tokens; }
const Tokenizer* Llm::tokenizer() const { return impl_->tokenizer.get(); }
ModelRunner& Llm::runner() { return impl_->engine.runner(); }

}  // namespace quire
