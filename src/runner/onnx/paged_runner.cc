#include "runner/onnx/paged_runner.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/system_memory.h"
#include "kernels/attention.h"
#include "kernels/isa.h"
#include "runner/kv_sizing.h"
#include "runner/onnx/onnx_session.h"
#include "runner/onnx/quire_ops.h"

namespace quire::onnx {
namespace {

constexpr std::size_t kAlignment = 64;

Result<kernels::KvDtype> choose_kv_dtype(const ModelPackage& package, const std::string& name) {
  if (name == "fp32") return kernels::KvDtype::kFloat32;
  if (name == "fp16") return kernels::KvDtype::kFloat16;
  if (name == "bf16") return kernels::KvDtype::kBfloat16;
  if (name == "int8") return kernels::KvDtype::kInt8;
  return package.quantization == "none" ? kernels::KvDtype::kFloat32 : kernels::KvDtype::kFloat16;
}

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
  Status allocate_cache(kernels::KvDtype dtype);
  Status check_graph();
  static Status check_step_input(const TensorInfo& input);
  void bind_inputs();
  Status probe();
  void widen_ids(const ModelInput& input);

  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
  std::unique_ptr<QuireOps> ops_;  // before session_, which must go first
  std::unique_ptr<OnnxSession> session_;
  std::unique_ptr<MemoryRegion> cache_memory_;
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
  QUIRE_ASSIGN(const kernels::KvDtype dtype, choose_kv_dtype(package_, options_.kv_dtype));
  const int num_threads = choose_num_threads(options_.num_threads);
  ops_ = std::make_unique<QuireOps>(QuireOpsConfig{.isa = isa,
                                                   .num_threads = num_threads,
                                                   .block_size = options_.block_size,
                                                   .kv_dtype = dtype});
  QUIRE_ASSIGN(session_, OnnxSession::open(package_.model_file, num_threads, ops_.get()));
  QUIRE_TRY(check_graph());
  QUIRE_TRY(allocate_cache(dtype));
  bind_inputs();
  return probe();
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

Status PagedRunner::allocate_cache(kernels::KvDtype dtype) {
  std::vector<std::int64_t> layer_bytes;
  std::uint64_t bytes_per_block = 0;
  for (const CacheLayer& layer : package_.cache_layers) {
    const auto bytes =
        kernels::block_bytes(layer.num_kv_heads, layer.head_dim, options_.block_size, dtype);
    if (!bytes) {
      return bad_model(package_.folder.string() + ": cache_layers: " + bytes.error().message());
    }
    layer_bytes.push_back(*bytes);
    bytes_per_block += 2 * static_cast<std::uint64_t>(*bytes);
  }
  const std::uint64_t available = available_memory_bytes();
  const int num_blocks = choose_num_kv_blocks({.requested_blocks = options_.num_kv_blocks,
                                               .bytes_per_block = bytes_per_block,
                                               .available_bytes = available,
                                               .max_num_seqs = options_.max_num_seqs,
                                               .max_seq_len = package_.max_seq_len,
                                               .block_size = options_.block_size});
  QUIRE_TRY(check_cache_fits(bytes_per_block, num_blocks, available));
  const std::uint64_t total = bytes_per_block * static_cast<std::uint64_t>(num_blocks) +
                              2 * layer_bytes.size() * kAlignment;
  QUIRE_ASSIGN(MemoryRegion memory, MemoryRegion::map(total));
  cache_memory_ = std::make_unique<MemoryRegion>(std::move(memory));
  std::unordered_map<std::string, CachePool> pools;
  std::size_t offset = 0;
  for (std::size_t layer = 0; layer < layer_bytes.size(); ++layer) {
    for (const char* kind : {"key_cache.", "value_cache."}) {
      const auto size = static_cast<std::size_t>(layer_bytes[layer] * num_blocks);
      const std::byte* data = cache_memory_->data() + offset;
      cache_names_.push_back(kind + std::to_string(layer));
      caches_.emplace_back(reinterpret_cast<const std::uint8_t*>(data), size);
      pools[cache_names_.back()] = {.data = data, .num_blocks = num_blocks};
      offset += (size + kAlignment - 1) / kAlignment * kAlignment;
    }
  }
  ops_->set_cache_pools(std::move(pools));
  spec_ = {.vocab_size = package_.vocab_size,
           .max_seq_len = package_.max_seq_len,
           .num_kv_blocks = num_blocks,
           .block_size = options_.block_size};
  return ok_status();
}

void PagedRunner::bind_inputs() {
  for (const StepInput& input : kStepInputs) input_names_.push_back(input.name);
  for (const std::string& name : cache_names_) input_names_.push_back(name.c_str());
  if (has_position_ids_) input_names_.push_back("position_ids");
  if (has_previous_ids_) input_names_.push_back("previous_ids");
}

// A step at the last position that the package promises. What only shows when the graph computes
// (tables shorter than the context, caches of another shape than model_info.json says) is a bad
// model now and not a failure in the middle of somebody's answer.
Status PagedRunner::probe() {
  const std::vector<TokenId> ids = {0};
  const std::vector<TokenId> previous = {package_.max_seq_len == 1 ? kNoToken : 0};
  const std::vector<std::int32_t> cumulative = {0, 1};
  const std::vector<std::int32_t> past = {package_.max_seq_len - 1};
  const int max_blocks = (package_.max_seq_len + options_.block_size - 1) / options_.block_size;
  const std::vector<std::int32_t> blocks(static_cast<std::size_t>(max_blocks), 0);
  const std::vector<std::int64_t> rows = {0};
  std::vector<float> logits;
  const Status status = run({.token_ids = ids,
                             .previous_ids = previous,
                             .cumulative_sequence_lengths = cumulative,
                             .past_sequence_lengths = past,
                             .block_table = blocks,
                             .max_blocks = max_blocks,
                             .logits_indices = rows},
                            &logits);
  if (status.code() != StatusCode::kInternal) return status;
  return bad_model(
      package_.model_file.string() +
      " does not fit model_info.json (cache_layers, max_seq_len, vocab_size): " + status.message());
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
