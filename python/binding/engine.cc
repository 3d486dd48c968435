#include "engine.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.h"
#include "outputs.h"
#include "wire/prompt_json.h"

namespace nb = nanobind;

namespace quire::python {
namespace {

template <typename T>
struct Option {
  std::string_view name;
  T EngineOptions::* member;
};

constexpr std::array kInts = {
    Option<int>{"num_threads", &EngineOptions::num_threads},
    Option<int>{"num_kv_blocks", &EngineOptions::num_kv_blocks},
    Option<int>{"block_size", &EngineOptions::block_size},
    Option<int>{"max_num_seqs", &EngineOptions::max_num_seqs},
    Option<int>{"max_batch_tokens", &EngineOptions::max_batch_tokens},
    Option<int>{"speculate", &EngineOptions::speculate},
};
constexpr std::array kBools = {
    Option<bool>{"pin_threads", &EngineOptions::pin_threads},
    Option<bool>{"trust_torchscript", &EngineOptions::trust_torchscript},
    Option<bool>{"prefix_cache", &EngineOptions::prefix_cache},
};
constexpr std::array kTexts = {
    Option<std::string>{"device", &EngineOptions::device},
    Option<std::string>{"backend", &EngineOptions::backend},
    Option<std::string>{"kv_dtype", &EngineOptions::kv_dtype},
    Option<std::string>{"activation_bits", &EngineOptions::activation_bits},
    Option<std::string>{"tools", &EngineOptions::tools},
    Option<std::string>{"tool_format", &EngineOptions::tool_format},
};

// Whether `name` is one of the table's, whose member then has the value.
template <typename Table>
bool set_from(const Table& table,
              const std::string& name,
              nb::handle value,
              EngineOptions* options) {
  for (const auto& option : table) {
    if (option.name != name) continue;
    if (!nb::try_cast(value, options->*option.member)) {
      throw Failure(invalid_argument("option " + name +
                                     " has a value of the wrong type: " + nb::repr(value).c_str()));
    }
    return true;
  }
  return false;
}

EngineOptions read_options(const nb::dict& given) {
  EngineOptions options;
  for (const auto& [key, value] : given) {
    const auto name = nb::cast<std::string>(key);
    if (set_from(kInts, name, value, &options) || set_from(kBools, name, value, &options) ||
        set_from(kTexts, name, value, &options)) {
      continue;
    }
    if (name == "seed" && nb::try_cast(value, options.seed)) continue;
    throw Failure(
        invalid_argument("there is no engine option " + name.substr(0, 60) +
                         " of such a value; see quire.EngineOptions for those there are"));
  }
  return options;
}

std::unique_ptr<Llm> open(const std::string& package, const EngineOptions& options) {
  const nb::gil_scoped_release unlocked;
  return std::make_unique<Llm>(value_of(Llm::open(package, options)));
}

}  // namespace

PyEngine::PyEngine(const std::string& package, const nb::dict& options)
    : owner_(getpid()), llm_(open(package, read_options(options))) {}

// In a forked child the engine's threads do not exist, so that waiting for them would not end: its
// memory is left to the end of the process.
PyEngine::~PyEngine() {
  if (getpid() != owner_) {
    static_cast<void>(llm_.release());
    return;
  }
  const nb::gil_scoped_release unlocked;
  llm_.reset();
}

template <typename Body>
auto PyEngine::work(const Body& body) {
  if (getpid() != owner_) {
    throw Failure(Status(StatusCode::kUnavailable,
                         "this engine was opened in process " + std::to_string(owner_) +
                             ", and a fork of it has none of the engine's threads; open the model "
                             "after the fork, or start processes with multiprocessing's spawn"));
  }
  // The engine's lock goes before the interpreter's is taken again.
  const nb::gil_scoped_release unlocked;
  const std::lock_guard lock(mutex_);
  if (llm_ == nullptr) {
    throw Failure(Status(StatusCode::kUnavailable, "the engine is closed; open the model again"));
  }
  return body(*llm_);
}

nb::tuple PyEngine::submit(const std::string& json) {
  using Submitted = std::pair<std::uint64_t, std::vector<TokenId>>;
  const Submitted submitted = work([&](Llm& llm) {
    GenerateRequest request = value_of(wire::parse_prompt_line(json, /*chat=*/false, {}).request);
    if (num_overwrites_ > 0) request.cache_salt += "#" + std::to_string(num_overwrites_);
    std::vector<TokenId> ids = value_of(llm.tokenize(request));
    return Submitted{value_of(llm.submit(std::move(request))), std::move(ids)};
  });
  return nb::make_tuple(submitted.first, submitted.second);
}

void PyEngine::step(bool wants_deltas, const nb::object& deltas, const nb::object& finished) {
  const StepOutput output = work([](Llm& llm) { return llm.step(); });
  if (wants_deltas) {
    for (const TextDelta& delta : output.deltas) deltas.attr("append")(delta_tuple(delta));
  }
  for (const RequestOutput& answer : output.finished) {
    finished.attr("append")(output_tuple(answer));
  }
}

bool PyEngine::cancel(std::uint64_t request_id) {
  return work([&](Llm& llm) { return llm.cancel(request_id); });
}

bool PyEngine::has_unfinished() {
  return work([](Llm& llm) { return llm.has_unfinished(); });
}

nb::dict PyEngine::stats() {
  const EngineStats stats = work([](Llm& llm) { return llm.stats(); });
  nb::dict found;
  found["num_waiting"] = stats.num_waiting;
  found["num_running"] = stats.num_running;
  found["num_blocks"] = stats.num_blocks;
  found["num_used_blocks"] = stats.num_used_blocks;
  found["num_steps"] = stats.num_steps;
  found["num_prompt_tokens"] = stats.num_prompt_tokens;
  found["num_generated_tokens"] = stats.num_generated_tokens;
  found["num_preemptions"] = stats.num_preemptions;
  found["num_prefix_lookup_tokens"] = stats.num_prefix_lookup_tokens;
  found["num_prefix_hit_tokens"] = stats.num_prefix_hit_tokens;
  found["num_draft_tokens"] = stats.num_draft_tokens;
  found["num_accepted_tokens"] = stats.num_accepted_tokens;
  return found;
}

nb::dict PyEngine::spec() {
  const ModelSpec spec = work([](Llm& llm) { return llm.runner().spec(); });
  nb::dict found;
  found["vocab_size"] = spec.vocab_size;
  found["max_seq_len"] = spec.max_seq_len;
  found["num_kv_blocks"] = spec.num_kv_blocks;
  found["block_size"] = spec.block_size;
  return found;
}

nb::dict PyEngine::recommended() {
  using Found = std::pair<SamplingParams, std::optional<int>>;
  const Found package =
      work([](Llm& llm) { return Found{llm.recommended_params(), llm.recommended_max_tokens()}; });
  const SamplingParams& params = package.first;
  nb::dict found;
  found["temperature"] = params.temperature;
  found["top_k"] = params.top_k;
  found["top_p"] = params.top_p;
  found["min_p"] = params.min_p;
  found["repetition_penalty"] = params.repetition_penalty;
  if (package.second) found["max_tokens"] = *package.second;
  return found;
}

nb::object PyEngine::forward(const std::vector<TokenId>& ids) {
  std::vector<float> logits = work([&](Llm& llm) {
    if (llm.has_unfinished()) {
      throw Failure(invalid_argument(
          "forward() overwrites the cache of the requests that run; finish or cancel them first"));
    }
    ++num_overwrites_;
    return value_of(llm.runner().forward(ids));
  });
  const std::size_t rows = ids.size();
  const std::size_t columns = logits.size() / rows;
  return float_array(std::move(logits), rows, columns);
}

std::shared_ptr<PyTokenizer> PyEngine::tokenizer() {
  return std::make_shared<PyTokenizer>(work([](Llm& llm) { return llm.encoder(); }));
}

bool PyEngine::has_tokenizer() {
  return work([](Llm& llm) { return llm.tokenizer() != nullptr; });
}

void PyEngine::close() {
  if (getpid() != owner_) return;
  const nb::gil_scoped_release unlocked;
  const std::lock_guard lock(mutex_);
  llm_.reset();
}

}  // namespace quire::python
