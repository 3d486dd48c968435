#include "runner/onnx/explicit_runner.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/checked_size.h"
#include "base/system_memory.h"
#include "quire/step_batch.h"
#include "runner/block_store.h"
#include "runner/kv_sizing.h"
#include "runner/onnx/onnx_session.h"
#include "runner/onnx/stock_graph.h"

namespace quire::onnx {
namespace {

// One past input of the graph and the output it comes back as.
struct CacheTensor {
  std::string past;
  std::string present;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  int num_heads = 0;
  int head_dim = 0;
};

Result<std::size_t> element_size(const TensorInfo& tensor) {
  if (tensor.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) return sizeof(float);
  if (tensor.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 ||
      tensor.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16) {
    return sizeof(std::uint16_t);
  }
  return bad_model("the graph's input " + tensor.name + " is not of fp32, fp16 or bf16");
}

std::string past_name(std::size_t layer, const char* kind) {
  return "past_key_values." + std::to_string(layer) + kind;
}

class ExplicitRunner final : public ModelRunner {
 public:
  ExplicitRunner(std::unique_ptr<OnnxSession> session,
                 const ModelPackage& package,
                 const EngineOptions& options)
      : session_(std::move(session)), package_(package), options_(options) {}

  Status open();

  const ModelSpec& spec() const override { return spec_; }
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  CacheLayer foreign_layer(const TensorInfo& past) const;
  Status find_caches();
  Result<CacheTensor> cache_tensor(std::size_t layer, const char* kind);
  Status allocate_store();
  Status probe();
  Status run_group(const StepGroup& group, const ModelInput& input, LogitsWriter* writer);
  void fill(const StepGroup& group, const ModelInput& input, IntegerInput* values);
  Status gather_past(const StepGroup& group);
  Status check_presents(const StepGroup& group, const std::vector<Ort::Value>& outputs) const;
  void take_presents(const StepGroup& group, const std::vector<Ort::Value>& outputs);

  std::unique_ptr<OnnxSession> session_;
  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
  LogitsInfo logits_;
  std::vector<CacheTensor> caches_;
  std::vector<IntegerInput> integers_;
  std::optional<KvBlockStore> store_;
  std::vector<KvBlockStore::Shape> shapes_;
  std::vector<std::vector<std::byte>> past_;  // a step's inputs, one a cache tensor
};

Status ExplicitRunner::open() {
  QUIRE_ASSIGN(logits_, find_logits(*session_, package_.vocab_size));
  package_.vocab_size = logits_.vocab_size;
  QUIRE_TRY(find_caches());
  std::vector<std::string> past_names;
  for (const CacheTensor& cache : caches_) past_names.push_back(cache.past);
  QUIRE_ASSIGN(integers_, find_integer_inputs(*session_, past_names));
  QUIRE_TRY(allocate_store());
  return probe();
}

// What a foreign graph says of its caches counts before what a config.json says of models like it.
CacheLayer ExplicitRunner::foreign_layer(const TensorInfo& past) const {
  CacheLayer layer{package_.num_kv_heads, package_.head_dim};
  constexpr std::int64_t kMost = std::int64_t{1} << 24U;
  if (past.shape.size() != 4) return layer;
  if (past.shape[1] > 0 && past.shape[1] <= kMost) {
    layer.num_kv_heads = static_cast<int>(past.shape[1]);
  }
  if (past.shape[3] > 0 && past.shape[3] <= kMost) {
    layer.head_dim = static_cast<int>(past.shape[3]);
  }
  return layer;
}

// As many layers as the graph has caches for; a package of ours says how many that must be.
Status ExplicitRunner::find_caches() {
  std::size_t num_layers = package_.cache_layers.size();
  if (num_layers == 0) {
    while (const TensorInfo* past = session_->find_input(past_name(num_layers, ".key"))) {
      package_.cache_layers.push_back(foreign_layer(*past));
      ++num_layers;
    }
  }
  for (std::size_t i = 0; i < num_layers; ++i) {
    for (const char* kind : {".key", ".value"}) {
      QUIRE_ASSIGN(CacheTensor cache, cache_tensor(i, kind));
      QUIRE_ASSIGN(const std::size_t size, element_size(*session_->find_input(cache.past)));
      shapes_.push_back({cache.num_heads, static_cast<std::size_t>(cache.head_dim) * size});
      caches_.push_back(std::move(cache));
    }
  }
  past_.resize(caches_.size());
  return ok_status();
}

Result<CacheTensor> ExplicitRunner::cache_tensor(std::size_t layer, const char* kind) {
  CacheTensor cache{.past = past_name(layer, kind),
                    .present = "present." + std::to_string(layer) + kind};
  const TensorInfo* past = session_->find_input(cache.past);
  if (past == nullptr) return bad_model("the graph has no input named \"" + cache.past + "\"");
  if (session_->find_output(cache.present) == nullptr) {
    return bad_model("the graph has no output named \"" + cache.present + "\"");
  }
  cache.type = past->type;
  cache.num_heads = package_.cache_layers[layer].num_kv_heads;
  cache.head_dim = package_.cache_layers[layer].head_dim;
  const auto differs = [&](std::size_t axis, int expected) {
    return past->shape[axis] >= 0 && past->shape[axis] != expected;
  };
  if (past->shape.size() != 4 || differs(1, cache.num_heads) || differs(3, cache.head_dim)) {
    return bad_model("the graph's input " + cache.past + " is not [batch, " +
                     std::to_string(cache.num_heads) + ", past, " + std::to_string(cache.head_dim) +
                     "], as the package says");
  }
  return cache;
}

Status ExplicitRunner::allocate_store() {
  QUIRE_ASSIGN(const std::uint64_t bytes,
               KvBlockStore::bytes_per_block(shapes_, options_.block_size));
  const std::uint64_t available = available_memory_bytes();
  const int num_blocks = choose_num_kv_blocks({.requested_blocks = options_.num_kv_blocks,
                                               .bytes_per_block = bytes,
                                               .available_bytes = available,
                                               .max_num_seqs = options_.max_num_seqs,
                                               .max_seq_len = package_.max_seq_len,
                                               .block_size = options_.block_size});
  QUIRE_TRY(check_cache_fits(bytes, num_blocks, available).error());
  QUIRE_ASSIGN(KvBlockStore store, KvBlockStore::create(shapes_, num_blocks, options_.block_size));
  store_.emplace(std::move(store));
  spec_ = {.vocab_size = package_.vocab_size,
           .max_seq_len = package_.max_seq_len,
           .num_kv_blocks = num_blocks,
           .block_size = options_.block_size};
  return ok_status();
}

// Two tokens, the second after a past: a graph that does not do what its names promise is a bad
// model now, and not a failure in the middle of somebody's answer.
Status ExplicitRunner::probe() {
  constexpr std::array<TokenId, 2> kIds = {0, 0};
  constexpr std::array<std::int32_t, 1> kBlocks = {0};
  for (int past = 0; past < std::min(2, package_.max_seq_len); ++past) {
    StepBatch batch;
    batch.add(std::span(kIds).first(static_cast<std::size_t>(past) + 1), past, kBlocks, 1);
    std::vector<float> logits;
    const Status status = run(batch.input(), &logits);
    if (status.code() == StatusCode::kInternal) {
      return bad_model(package_.model_file.string() +
                       " does not compute a step: " + status.message());
    }
    QUIRE_TRY(status);
  }
  return ok_status();
}

Status ExplicitRunner::run(const ModelInput& input, std::vector<float>* logits) {
  LogitsWriter writer(input, spec_.vocab_size, logits);
  for (const StepGroup& group : group_by_length(input)) QUIRE_TRY(run_group(group, input, &writer));
  return ok_status();
}

Status ExplicitRunner::run_group(const StepGroup& group,
                                 const ModelInput& input,
                                 LogitsWriter* writer) {
  const auto batch = static_cast<std::int64_t>(group.sequences.size());
  const std::int64_t kept = writer->num_wanted(group);
  std::vector<const char*> input_names;
  std::vector<Ort::Value> inputs;
  for (IntegerInput& values : integers_) {
    fill(group, input, &values);
    if (values.counts_logits()) values.values() = {kept};
    input_names.push_back(values.name().c_str());
    inputs.push_back(values.tensor(batch));
  }
  QUIRE_TRY(gather_past(group));
  std::vector<const char*> output_names = {logits_.name.c_str()};
  for (std::size_t i = 0; i < caches_.size(); ++i) {
    const CacheTensor& cache = caches_[i];
    const std::vector<std::int64_t> shape = {batch, cache.num_heads, group.past, cache.head_dim};
    input_names.push_back(cache.past.c_str());
    inputs.push_back(tensor_over(past_[i].data(), past_[i].size(), shape, cache.type));
    output_names.push_back(cache.present.c_str());
  }
  std::vector<Ort::Value> outputs;
  for (std::size_t i = 0; i < output_names.size(); ++i) outputs.emplace_back(nullptr);
  QUIRE_TRY(session_->run(input_names, inputs, output_names, outputs));
  QUIRE_TRY(check_presents(group, outputs));
  QUIRE_ASSIGN(const LogitsView logits,
               view_logits(outputs.front(), logits_, batch, group.num_new, kept));
  take_presents(group, outputs);
  for (std::size_t i = 0; i < group.sequences.size(); ++i) {
    QUIRE_TRY(writer->write(group.sequences[i], i, logits));
  }
  return ok_status();
}

void ExplicitRunner::fill(const StepGroup& group, const ModelInput& input, IntegerInput* values) {
  std::vector<std::int64_t>& list = values->values();
  list.clear();
  const std::string& name = values->name();
  if (name == "use_cache_branch") {
    list.push_back(group.past > 0 ? 1 : 0);
    return;
  }
  if (name == "position_offset") {
    list.push_back(group.past);
    return;
  }
  for (const StepSequence& sequence : group.sequences) {
    if (name == "attention_mask") {
      list.insert(list.end(), static_cast<std::size_t>(group.past + group.num_new), 1);
      continue;
    }
    for (int i = 0; i < group.num_new; ++i) {
      const std::size_t row = sequence.first_row + static_cast<std::size_t>(i);
      if (name == "position_ids") list.push_back(group.past + i);
      if (name == "input_ids") list.push_back(input.token_ids[row]);
      if (name == "previous_ids") list.push_back(input.previous_ids[row]);
    }
  }
}

Status ExplicitRunner::gather_past(const StepGroup& group) {
  for (std::size_t i = 0; i < caches_.size(); ++i) {
    const std::size_t bytes = static_cast<std::size_t>(shapes_[i].num_heads) *
                              shapes_[i].head_bytes * static_cast<std::size_t>(group.past);
    // Sequences may share blocks, so all of theirs together may be more than the store holds.
    const auto all = checked_product({bytes, group.sequences.size()});
    if (!all || *all >= past_[i].max_size()) return resource_exhausted("out of memory");
    // One byte more, because the runtime wants an address even for an empty tensor.
    past_[i].resize(*all + 1);
    std::byte* out = past_[i].data();
    for (const StepSequence& sequence : group.sequences) {
      store_->gather(i, sequence.blocks, group.past, out);
      out += bytes;
    }
  }
  return ok_status();
}

Status ExplicitRunner::check_presents(const StepGroup& group,
                                      const std::vector<Ort::Value>& outputs) const {
  for (std::size_t i = 0; i < caches_.size(); ++i) {
    const CacheTensor& cache = caches_[i];
    const std::array<std::int64_t, 4> shape = {static_cast<std::int64_t>(group.sequences.size()),
                                               cache.num_heads,
                                               group.past + group.num_new,
                                               cache.head_dim};
    QUIRE_TRY(check_output(outputs[i + 1], cache.present, cache.type, shape));
  }
  return ok_status();
}

void ExplicitRunner::take_presents(const StepGroup& group, const std::vector<Ort::Value>& outputs) {
  const int end = group.past + group.num_new;
  for (std::size_t i = 0; i < caches_.size(); ++i) {
    const auto* from = static_cast<const std::byte*>(outputs[i + 1].GetTensorRawData());
    for (const StepSequence& sequence : group.sequences) {
      store_->scatter(i, sequence.blocks, group.past, end, from);
      from += static_cast<std::size_t>(shapes_[i].num_heads) * shapes_[i].head_bytes *
              static_cast<std::size_t>(end);
    }
  }
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_explicit_runner(std::unique_ptr<OnnxSession> session,
                                                          const ModelPackage& package,
                                                          const EngineOptions& options) {
  auto runner = std::make_unique<ExplicitRunner>(std::move(session), package, options);
  QUIRE_TRY(runner->open());
  return std::unique_ptr<ModelRunner>(std::move(runner));
}

}  // namespace quire::onnx
