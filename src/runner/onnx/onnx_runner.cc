#include "runner/onnx/onnx_runner.h"

#include <onnxruntime_cxx_api.h>
#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/system_memory.h"
#include "kernels/attention.h"
#include "kernels/isa.h"
#include "runner/kv_sizing.h"
#include "runner/onnx/onnx_inspect.h"
#include "runner/onnx/quire_ops.h"

namespace quire::onnx {
namespace {

constexpr std::size_t kAlignment = 64;

// The last line of an ONNX Runtime message names the cause; what is before it is where in its
// source.
std::string first_line(const std::string& message) {
  return message.substr(0, std::min<std::size_t>(message.find('\n'), 500));
}

int choose_num_threads(int requested) {
  if (requested > 0) return requested;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Result<kernels::KvDtype> choose_kv_dtype(const ModelPackage& package, const std::string& name) {
  if (name == "fp32") return kernels::KvDtype::kFloat32;
  if (name == "fp16") return kernels::KvDtype::kFloat16;
  if (name == "bf16") return kernels::KvDtype::kBfloat16;
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

template <typename T>
Ort::Value tensor_over(std::span<const T> data, std::vector<std::int64_t> shape) {
  static const Ort::MemoryInfo memory =
      Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  // ONNX Runtime takes inputs as mutable and does not write to them.
  return Ort::Value::CreateTensor<T>(
      memory, const_cast<T*>(data.data()), data.size(), shape.data(), shape.size());
}

class OnnxRunner final : public ModelRunner {
 public:
  OnnxRunner(const ModelPackage& package, const EngineOptions& options)
      : package_(package), options_(options), env_(ORT_LOGGING_LEVEL_FATAL, "quire") {}

  Status open();

  const ModelSpec& spec() const override { return spec_; }
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  Status allocate_cache(kernels::KvDtype dtype);
  Status check_graph();
  Status check_step_input(const std::string& name, std::size_t index);
  Status bind_inputs();
  Status probe();
  void widen_ids(const ModelInput& input);

  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
  Ort::Env env_;
  std::unique_ptr<QuireOps> ops_;  // before session_, which must go first
  std::unique_ptr<Ort::Session> session_;
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

Status OnnxRunner::open() {
  if (package_.graph != "paged") {
    return bad_model(package_.folder.string() + " has a graph of kind \"" + package_.graph +
                     "\"; this version runs paged graphs (quire-export --cache paged)");
  }
  const std::filesystem::path model_file = package_.folder / "model.onnx";
  QUIRE_TRY(inspect_onnx(model_file));
  QUIRE_ASSIGN(const kernels::Isa isa, kernels::choose_isa_from_environment());
  QUIRE_ASSIGN(const kernels::KvDtype dtype, choose_kv_dtype(package_, options_.kv_dtype));
  const int num_threads = choose_num_threads(options_.num_threads);
  ops_ = std::make_unique<QuireOps>(QuireOpsConfig{.isa = isa,
                                                   .num_threads = num_threads,
                                                   .block_size = options_.block_size,
                                                   .kv_dtype = dtype});
  try {
    Ort::SessionOptions session_options;
    session_options.SetIntraOpNumThreads(num_threads);
    session_options.SetInterOpNumThreads(1);
    session_options.SetExecutionMode(ORT_SEQUENTIAL);
    session_options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    session_options.DisableMemPattern();  // sizes change from step to step
    QUIRE_TRY(ops_->add_to(session_options));
    session_ = std::make_unique<Ort::Session>(env_, model_file.c_str(), session_options);
    QUIRE_TRY(check_graph());
    QUIRE_TRY(allocate_cache(dtype));
    QUIRE_TRY(bind_inputs());
    return probe();
  } catch (const Ort::Exception& error) {
    return bad_model(model_file.string() + " cannot be used: " + first_line(error.what()));
  } catch (const std::bad_alloc&) {
    return resource_exhausted("not enough memory to load " + model_file.string());
  }
}

Status OnnxRunner::check_step_input(const std::string& name, std::size_t index) {
  std::vector<StepInput> known_inputs(kStepInputs.begin(), kStepInputs.end());
  known_inputs.insert(known_inputs.end(), kOptionalInputs.begin(), kOptionalInputs.end());
  for (const StepInput& known : known_inputs) {
    if (name != known.name) continue;
    const auto type =
        session_->GetInputTypeInfo(index).GetTensorTypeAndShapeInfo().GetElementType();
    if (type != known.type) {
      return bad_model("the graph's input " + name + " has the wrong element type");
    }
    has_position_ids_ |= name == "position_ids";
    has_previous_ids_ |= name == "previous_ids";
    return ok_status();
  }
  if (name.starts_with("key_cache.") || name.starts_with("value_cache.")) return ok_status();
  return bad_model("the graph has the input \"" + name + "\", which paged graphs do not have");
}

Status OnnxRunner::check_graph() {
  const Ort::AllocatorWithDefaultOptions allocator;
  const std::size_t num_inputs = session_->GetInputCount();
  for (std::size_t i = 0; i < num_inputs; ++i) {
    QUIRE_TRY(check_step_input(session_->GetInputNameAllocated(i, allocator).get(), i));
  }
  const std::size_t expected = kStepInputs.size() + 2 * package_.cache_layers.size() +
                               (has_position_ids_ ? 1 : 0) + (has_previous_ids_ ? 1 : 0);
  if (num_inputs != expected) {
    return bad_model("the graph has " + std::to_string(num_inputs) + " inputs instead of " +
                     std::to_string(expected) + " for " +
                     std::to_string(package_.cache_layers.size()) + " layers");
  }
  if (session_->GetOutputCount() != 1 ||
      std::string(session_->GetOutputNameAllocated(0, allocator).get()) != "logits") {
    return bad_model("the graph must have one output, \"logits\"");
  }
  const auto info = session_->GetOutputTypeInfo(0);
  const auto shape = info.GetTensorTypeAndShapeInfo().GetShape();
  if (shape.size() == 2 && shape[1] >= 0 && shape[1] != package_.vocab_size) {
    return bad_model("the graph's logits are " + std::to_string(shape[1]) +
                     " wide, but model_info.json says " + std::to_string(package_.vocab_size));
  }
  return ok_status();
}

Status OnnxRunner::allocate_cache(kernels::KvDtype dtype) {
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
  const std::uint64_t total = bytes_per_block * static_cast<std::uint64_t>(num_blocks) +
                              2 * layer_bytes.size() * kAlignment;
  if (total > available) {
    return resource_exhausted("a cache of " + std::to_string(num_blocks) + " blocks takes " +
                              std::to_string(total >> 20U) + " MiB, but " +
                              std::to_string(available >> 20U) +
                              " MiB are free; lower --kv-blocks");
  }
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

Status OnnxRunner::bind_inputs() {
  for (const StepInput& input : kStepInputs) input_names_.push_back(input.name);
  for (const std::string& name : cache_names_) input_names_.push_back(name.c_str());
  if (has_position_ids_) input_names_.push_back("position_ids");
  if (has_previous_ids_) input_names_.push_back("previous_ids");
  return ok_status();
}

// A step at the last position that the package promises. What only shows when the graph computes
// (tables shorter than the context, caches of another shape than model_info.json says) is a bad
// model now and not a failure in the middle of somebody's answer.
Status OnnxRunner::probe() {
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
      (package_.folder / "model.onnx").string() +
      " does not fit model_info.json (cache_layers, max_seq_len, vocab_size): " + status.message());
}

void OnnxRunner::widen_ids(const ModelInput& input) {
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

Status OnnxRunner::run(const ModelInput& input, std::vector<float>* logits) {
  const auto num_tokens = static_cast<std::int64_t>(input.token_ids.size());
  const auto num_sequences = static_cast<std::int64_t>(input.past_sequence_lengths.size());
  const auto num_rows = static_cast<std::int64_t>(input.logits_indices.size());
  widen_ids(input);
  logits->resize(input.logits_indices.size() * static_cast<std::size_t>(spec_.vocab_size));
  try {
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
    if (has_position_ids_)
      values.push_back(tensor_over(std::span<const std::int64_t>(position_ids_), {num_tokens}));
    if (has_previous_ids_)
      values.push_back(tensor_over(std::span<const std::int64_t>(previous_ids_), {num_tokens}));
    Ort::Value output = tensor_over(std::span<const float>(*logits), {num_rows, spec_.vocab_size});
    const char* output_name = "logits";
    session_->Run(Ort::RunOptions(nullptr),
                  input_names_.data(),
                  values.data(),
                  values.size(),
                  &output_name,
                  &output,
                  1);
    return ok_status();
  } catch (const Ort::Exception& error) {
    return internal_error("the model step failed: " + first_line(error.what()));
  } catch (const std::bad_alloc&) {
    return resource_exhausted("not enough memory for a model step");
  }
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_onnx_runner(const ModelPackage& package,
                                                      const EngineOptions& options) {
  auto runner = std::make_unique<OnnxRunner>(package, options);
  QUIRE_TRY(runner->open());
  return std::unique_ptr<ModelRunner>(std::move(runner));
}

}  // namespace quire::onnx
