#include "runner/onnx/paged_runner.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/cpus.h"
#include "kernels/isa.h"
#include "ops/paged_graph.h"
#include "runner/onnx/onnx_library.h"
#include "runner/onnx/onnx_session.h"
#include "runner/onnx/onnx_types.h"
#include "runner/onnx/quire_ops.h"
#include "runner/paged_cache.h"
#include "runner/precision.h"

namespace quire::onnx {
namespace {

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
  void bind_inputs();

  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
  std::unique_ptr<QuireOps> ops_;  // before session_, which must go first
  std::unique_ptr<OnnxSession> session_;
  std::optional<PagedCache> cache_;
  std::vector<std::string> cache_names_;
  std::vector<std::span<const std::uint8_t>> caches_;
  std::vector<const char*> input_names_;
  ops::OptionalInputs optional_;
  ops::StepIds ids_;
};

Status PagedRunner::open() {
  QUIRE_ASSIGN(const kernels::Isa isa, kernels::choose_isa_from_environment());
  const int num_threads = choose_num_threads(options_.num_threads);
  QUIRE_TRY(load_onnxruntime());
  ops_ = std::make_unique<QuireOps>(
      QuireOpsConfig{.isa = isa,
                     .num_threads = num_threads,
                     .block_size = options_.block_size,
                     .kv_dtype = choose_kv_dtype(package_, options_.kv_dtype),
                     .activation_bits = choose_activation_bits(options_)});
  QUIRE_ASSIGN(session_, OnnxSession::open(package_.model_file, num_threads, ops_.get()));
  QUIRE_TRY(check_graph());
  QUIRE_ASSIGN(PagedCache cache, PagedCache::allocate(package_, options_));
  cache_ = std::move(cache);
  place_caches();
  bind_inputs();
  return probe_last_position(package_.model_file, package_.max_seq_len, this);
}

std::vector<ops::GraphValue> graph_values(const std::vector<TensorInfo>& tensors) {
  std::vector<ops::GraphValue> values;
  for (const TensorInfo& tensor : tensors) {
    values.push_back({tensor.name, element_type(tensor.type), tensor.shape});
  }
  return values;
}

Status PagedRunner::check_graph() {
  const auto checked = ops::check_paged_graph(
      graph_values(session_->inputs()),
      graph_values(session_->outputs()),
      {.num_layers = package_.cache_layers.size(), .vocab_size = package_.vocab_size});
  if (!checked) return checked.error().with_context(package_.model_file.string());
  optional_ = *checked;
  return ok_status();
}

void PagedRunner::place_caches() {
  std::unordered_map<std::string, ops::CachePool> pools;
  for (std::size_t layer = 0; layer < cache_->keys().size(); ++layer) {
    for (const bool is_key : {true, false}) {
      const PagedCache::Region& region = (is_key ? cache_->keys() : cache_->values())[layer];
      const auto size = static_cast<std::size_t>(region.block_bytes * cache_->num_blocks());
      cache_names_.push_back(is_key ? ops::key_cache_name(layer) : ops::value_cache_name(layer));
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
  input_names_ = {"input_ids",
                  "cumulative_sequence_lengths",
                  "past_sequence_lengths",
                  "block_table",
                  "logits_indices"};
  for (const std::string& name : cache_names_) input_names_.push_back(name.c_str());
  if (optional_.position_ids) input_names_.push_back("position_ids");
  if (optional_.previous_ids) input_names_.push_back("previous_ids");
}

Status PagedRunner::run(const ModelInput& input, std::vector<float>* logits) {
  const auto num_tokens = static_cast<std::int64_t>(input.token_ids.size());
  const auto num_sequences = static_cast<std::int64_t>(input.past_sequence_lengths.size());
  const auto num_rows = static_cast<std::int64_t>(input.logits_indices.size());
  ids_.assign(input, optional_);
  logits->resize(input.logits_indices.size() * static_cast<std::size_t>(spec_.vocab_size));
  std::vector<Ort::Value> values;
  values.push_back(tensor_over(ids_.token_ids(), {num_tokens}));
  values.push_back(tensor_over(input.cumulative_sequence_lengths, {num_sequences + 1}));
  values.push_back(tensor_over(input.past_sequence_lengths, {num_sequences}));
  values.push_back(tensor_over(input.block_table, {num_sequences, input.max_blocks}));
  values.push_back(tensor_over(input.logits_indices, {num_rows}));
  for (const auto& cache : caches_) {
    const auto bytes = static_cast<std::int64_t>(cache.size());
    values.push_back(tensor_over(cache, {spec_.num_kv_blocks, bytes / spec_.num_kv_blocks}));
  }
  if (optional_.position_ids) values.push_back(tensor_over(ids_.position_ids(), {num_tokens}));
  if (optional_.previous_ids) values.push_back(tensor_over(ids_.previous_ids(), {num_tokens}));
  Ort::Value output = tensor_over(std::span<const float>(*logits), {num_rows, spec_.vocab_size});
  const char* output_name = "logits";
  const Status status = session_->run(input_names_, values, {&output_name, 1}, {&output, 1});
  const Status cause = ops_->take_failure();
  return status.ok() || cause.ok() ? status : ops::step_failure(cause);
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_paged_runner(const ModelPackage& package,
                                                       const EngineOptions& options) {
  auto runner = std::make_unique<PagedRunner>(package, options);
  QUIRE_TRY(runner->open());
  return std::unique_ptr<ModelRunner>(std::move(runner));
}

}  // namespace quire::onnx
