#include "runner/onnx/paged_runner.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/isa.h"
#include "runner/onnx/onnx_session.h"
#include "runner/onnx/quire_ops.h"
#include "runner/paged_cache.h"

namespace quire::onnx {
namespace {

// A graph input of the paged contract whose values come with each step.
struct StepInput {
  const char* name;
  ONNXTensorElementDataType type;
};
constexpr std::array<StepInput, 5> kStepInputs = {{
    {"input_ids", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {"cumulative_sequence_lengths", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {"past_sequence_lengths", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {"block_table", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {"logits_indices", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
}};
// What only some graphs have: learned positions, and nanochat's mixing with the token before.
constexpr std::array<StepInput, 2> kOptionalInputs = {{
    {"position_ids", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {"previous_ids", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
}};

class PagedRunner final : public ModelRunner {
 public:
  PagedRunner(const ModelPackage& package, const EngineOptions& options)
      : package_(package), options_(options) {}

  Status open();

  const ModelSpec& spec() const override { return spec_; }
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  void place_caches();
  Status check_graph();
  static Status check_step_input(const TensorInfo& input);
  void bind_inputs();
  void widen_ids(const ModelInput& input);

  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
  std::unique_ptr<QuireOps> ops_;  // before session_, which must go first
  std::unique_ptr<OnnxSession> session_;
  std::optional<PagedCache> cache_;
  std::vector<std::string> cache_names_;
  std::vector<std::span<const std::uint8_t>> caches_;
  std::vector<const char*> input_names_;
  bool has_position_ids_ = false;
  bool has_previous_ids_ = false;
  std::vector<std::int64_t> input_ids_;     // the step's ids, widened
  std::vector<std::int64_t> position_ids_;  // likewise, if the graph wants them
  std::vector<std::int64_t> previous_ids_;
};

Status PagedRunner::open() {
  QUIRE_ASSIGN(const kernels::Isa isa, kernels::choose_isa_from_environment());
  const int num_threads = choose_num_threads(options_.num_threads);
  ops_ = std::make_unique<QuireOps>(
      QuireOpsConfig{.isa = isa,
                     .num_threads = num_threads,
                     .block_size = options_.block_size,
                     .kv_dtype = choose_kv_dtype(package_, options_.kv_dtype)});
  QUIRE_ASSIGN(session_, OnnxSession::open(package_.model_file, num_threads, ops_.get()));
  QUIRE_TRY(check_graph());
  QUIRE_ASSIGN(PagedCache cache, PagedCache::allocate(package_, options_));
  cache_ = std::move(cache);
  place_caches();
  bind_inputs();
  return probe_last_position(package_.model_file, package_.max_seq_len, this);
}

Status PagedRunner::check_step_input(const TensorInfo& input) {
  std::vector<StepInput> known_inputs(kStepInputs.begin(), kStepInputs.end());
  known_inputs.insert(known_inputs.end(), kOptionalInputs.begin(), kOptionalInputs.end());
  for (const StepInput& known : known_inputs) {
    if (input.name != known.name) continue;
    if (input.type == known.type) return ok_status();
    return bad_model("the graph's input " + input.name + " has the wrong element type");
  }
  if (input.name.starts_with("key_cache.") || input.name.starts_with("value_cache.")) {
    return ok_status();
  }
  return bad_model("the graph has the input \"" + input.name +
                   "\", which paged graphs do not have");
}

Status PagedRunner::check_graph() {
  for (const TensorInfo& input : session_->inputs()) QUIRE_TRY(check_step_input(input));
  has_position_ids_ = session_->find_input("position_ids") != nullptr;
  has_previous_ids_ = session_->find_input("previous_ids") != nullptr;
  const std::size_t expected = kStepInputs.size() + 2 * package_.cache_layers.size() +
                               (has_position_ids_ ? 1 : 0) + (has_previous_ids_ ? 1 : 0);
  if (session_->inputs().size() != expected) {
    return bad_model("the graph has " + std::to_string(session_->inputs().size()) +
                     " inputs instead of " + std::to_string(expected) + " for " +
                     std::to_string(package_.cache_layers.size()) + " layers");
  }
  const std::vector<TensorInfo>& outputs = session_->outputs();
  if (outputs.size() != 1 || outputs.front().name != "logits") {
    return bad_model("the graph must have one output, \"logits\"");
  }
  const std::vector<std::int64_t>& shape = outputs.front().shape;
  if (shape.size() == 2 && shape[1] >= 0 && shape[1] != package_.vocab_size) {
    return bad_model("the graph's logits are " + std::to_string(shape[1]) +
                     " wide, but model_info.json says " + std::to_string(package_.vocab_size));
  }
  return ok_status();
}

void PagedRunner::place_caches() {
  std::unordered_map<std::string, CachePool> pools;
  for (std::size_t layer = 0; layer < cache_->keys().size(); ++layer) {
    for (const bool is_key : {true, false}) {
      const PagedCache::Region& region = (is_key ? cache_->keys() : cache_->values())[layer];
      const auto size = static_cast<std::size_t>(region.block_bytes * cache_->num_blocks());
      cache_names_.push_back((is_key ? "key_cache." : "value_cache.") + std::to_string(layer));
      caches_.emplace_back(region.data, size);
      pools[cache_names_.back()] = {.data = region.data, .num_blocks = cache_->num_blocks()};
    }
  }
  ops_->set_cache_pools(std::move(pools));
  spec_ = {.vocab_size = package_.vocab_size,
           .max_seq_len = package_.max_seq_len,
           .num_kv_blocks = cache_->num_blocks(),
           .block_size = options_.block_size};
}

void PagedRunner::bind_inputs() {
  for (const StepInput& input : kStepInputs) input_names_.push_back(input.name);
  for (const std::string& name : cache_names_) input_names_.push_back(name.c_str());
  if (has_position_ids_) input_names_.push_back("position_ids");
  if (has_previous_ids_) input_names_.push_back("previous_ids");
}

void PagedRunner::widen_ids(const ModelInput& input) {
  input_ids_.assign(input.token_ids.begin(), input.token_ids.end());
  previous_ids_.assign(input.previous_ids.begin(), input.previous_ids.end());
  if (!has_position_ids_) return;
  position_ids_.resize(input.token_ids.size());
  for (std::size_t i = 0; i < input.past_sequence_lengths.size(); ++i) {
    const auto begin = position_ids_.begin() + input.cumulative_sequence_lengths[i];
    const auto end = position_ids_.begin() + input.cumulative_sequence_lengths[i + 1];
    std::iota(begin, end, std::int64_t{input.past_sequence_lengths[i]});
  }
}

Status PagedRunner::run(const ModelInput& input, std::vector<float>* logits) {
  const auto num_tokens = static_cast<std::int64_t>(input.token_ids.size());
  const auto num_sequences = static_cast<std::int64_t>(input.past_sequence_lengths.size());
  const auto num_rows = static_cast<std::int64_t>(input.logits_indices.size());
  widen_ids(input);
  logits->resize(input.logits_indices.size() * static_cast<std::size_t>(spec_.vocab_size));
  std::vector<Ort::Value> values;
  values.push_back(tensor_over(std::span<const std::int64_t>(input_ids_), {num_tokens}));
  values.push_back(tensor_over(input.cumulative_sequence_lengths, {num_sequences + 1}));
  values.push_back(tensor_over(input.past_sequence_lengths, {num_sequences}));
  values.push_back(tensor_over(input.block_table, {num_sequences, input.max_blocks}));
  values.push_back(tensor_over(input.logits_indices, {num_rows}));
  for (const auto& cache : caches_) {
    const auto bytes = static_cast<std::int64_t>(cache.size());
    values.push_back(tensor_over(cache, {spec_.num_kv_blocks, bytes / spec_.num_kv_blocks}));
  }
  if (has_position_ids_) {
    values.push_back(tensor_over(std::span<const std::int64_t>(position_ids_), {num_tokens}));
  }
  if (has_previous_ids_) {
    values.push_back(tensor_over(std::span<const std::int64_t>(previous_ids_), {num_tokens}));
  }
  Ort::Value output = tensor_over(std::span<const float>(*logits), {num_rows, spec_.vocab_size});
  const char* output_name = "logits";
  return session_->run(input_names_, values, {&output_name, 1}, {&output, 1});
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_paged_runner(const ModelPackage& package,
                                                       const EngineOptions& options) {
  auto runner = std::make_unique<PagedRunner>(package, options);
  QUIRE_TRY(runner->open());
  return std::unique_ptr<ModelRunner>(std::move(runner));
}

}  // namespace quire::onnx
