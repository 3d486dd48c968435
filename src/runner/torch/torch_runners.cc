#include <ATen/Parallel.h>
#include <torch/script.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/cpus.h"
#include "base/system_memory.h"
#include "kernels/isa.h"
#include "ops/paged_graph.h"
#include "runner/block_store.h"
#include "runner/kv_sizing.h"
#include "runner/paged_cache.h"
#include "runner/precision.h"
#include "runner/torch/plugin.h"
#include "runner/torch/plugin_loader.h"
#include "runner/torch/torch_ops.h"

namespace quire::torch_backend {
namespace {

// Arguments of the three kinds of graph, which TorchScript has no names for. One more of the first
// two is previous_ids.
//   paged: input_ids, cumulative_sequence_lengths, past_sequence_lengths, block_table,
//     logits_indices, key_caches, value_caches
//   explicit: input_ids, past_keys, past_values, position_ids
//   none: input_ids, position_offset
constexpr std::size_t kPagedArguments = 7;
constexpr std::size_t kExplicitArguments = 4;
constexpr std::size_t kNoneArguments = 2;

// LibTorch's messages go on with stack traces after their first line.
std::string first_line(const std::string& message) {
  return message.substr(0, std::min<std::size_t>(message.find('\n'), 500));
}

// LibTorch takes memory as mutable; nothing but the caches is written to.
template <typename T>
at::Tensor tensor_over(std::span<const T> data, std::vector<std::int64_t> shape) {
  return at::from_blob(
      const_cast<T*>(data.data()), shape, at::TensorOptions().dtype(c10::CppTypeToScalarType<T>()));
}

c10::List<at::Tensor> tensors_over(const std::vector<PagedCache::Region>& regions,
                                   std::int64_t num_blocks) {
  c10::List<at::Tensor> list;
  for (const PagedCache::Region& region : regions) {
    list.push_back(
        at::from_blob(region.data, {num_blocks, region.block_bytes}, at::TensorOptions(at::kByte)));
  }
  return list;
}

// A loaded model.pt. LibTorch's exceptions end here.
class Script {
 public:
  static Result<Script> load(const ModelPackage& package, const EngineOptions& options);

  std::size_t num_arguments() { return module_.get_method("forward").num_inputs() - 1; }
  Result<c10::IValue> call(std::vector<c10::IValue> arguments);

 private:
  Script() = default;

  torch::jit::Module module_;
};

Result<Script> Script::load(const ModelPackage& package, const EngineOptions& options) {
  const std::filesystem::path file = package.folder / kModelFile;
  try {
    at::set_num_threads(choose_num_threads(options.num_threads));
    Script script;
    script.module_ = torch::jit::load(file.string(), at::kCPU);
    script.module_.eval();
    script.num_arguments();  // there is a method forward
    return script;
  } catch (const std::bad_alloc&) {
    return resource_exhausted("not enough memory to load " + file.string());
  } catch (const std::exception& error) {
    return bad_model(file.string() + " cannot be used: " + first_line(error.what()));
  }
}

Result<c10::IValue> Script::call(std::vector<c10::IValue> arguments) {
  try {
    const c10::InferenceMode inference;
    // Without its optimizer LibTorch runs the graph as it stands: nothing is fused or reordered.
    const torch::jit::GraphOptimizerEnabledGuard plain(false);
    return module_.forward(std::move(arguments));
  } catch (const std::bad_alloc&) {
    return resource_exhausted("not enough memory for a model step");
  } catch (const std::exception& error) {
    return internal_error("the model step failed: " + first_line(error.what()))
        .with_next_step("export the model again, or try another option backend");
  }
}

// A program may return anything: a tensor without memory (undefined, meta, sparse, all zeros), of
// another type or shape than its kind of graph promises, perhaps for some ids only. The elements of
// one that passes here may be read. Fails with kInternal.
Result<at::Tensor> readable(const at::Tensor& tensor,
                            const std::vector<std::int64_t>& shape,
                            const char* what) {
  const Status refusal =
      internal_error(std::string("the model's ") + what +
                     " have another type or shape than promised; export the model again");
  try {
    if (!tensor.defined() || tensor.layout() != at::kStrided || !tensor.device().is_cpu() ||
        tensor.scalar_type() != at::kFloat || tensor._is_zerotensor() ||
        tensor.sizes() != at::IntArrayRef(shape)) {
      return refusal;
    }
    at::Tensor dense = tensor.resolve_neg().contiguous();
    const auto end = static_cast<std::size_t>(dense.storage_offset() + dense.numel());
    if (dense.storage_offset() < 0 || dense.storage().nbytes() / sizeof(float) < end) {
      return refusal;
    }
    return dense;
  } catch (const std::bad_alloc&) {
    return resource_exhausted("not enough memory for a model step");
  } catch (const std::exception&) {
    return refusal;
  }
}

Status check_arguments(const ModelPackage& package,
                       std::size_t count,
                       std::size_t least,
                       std::size_t most) {
  if (count >= least && count <= most) return ok_status();
  return bad_model((package.folder / kModelFile).string() + " takes " + std::to_string(count) +
                   " arguments where a graph of kind \"" + package.graph + "\" takes " +
                   std::to_string(least) + "; export it again");
}

// The common part of the runners: a script and what the engine needs to know of it.
class ScriptRunner : public ModelRunner {
 public:
  ScriptRunner(Script script, const ModelPackage& package, const EngineOptions& options)
      : script_(std::move(script)), package_(package), options_(options) {}

  const ModelSpec& spec() const override { return spec_; }

 protected:
  void set_spec(int num_blocks) {
    spec_ = {.vocab_size = package_.vocab_size,
             .max_seq_len = package_.max_seq_len,
             .num_kv_blocks = num_blocks,
             .block_size = options_.block_size};
  }
  int choose_num_blocks(std::uint64_t bytes_per_block, std::uint64_t available) const {
    return choose_num_kv_blocks({.requested_blocks = options_.num_kv_blocks,
                                 .bytes_per_block = bytes_per_block,
                                 .available_bytes = available,
                                 .max_num_seqs = options_.max_num_seqs,
                                 .max_seq_len = package_.max_seq_len,
                                 .block_size = options_.block_size});
  }
  // The tensor of a result, once it is float [..., vocab] of so many dimensions and rows.
  Result<at::Tensor> checked_logits(const c10::IValue& value,
                                    const std::vector<std::int64_t>& rows) const;
  // Copies the rows that are wanted of one sequence from dense logits [batch, length, vocab].
  void copy_wanted(const StepSequence& sequence,
                   std::int64_t batch_index,
                   const at::Tensor& dense,
                   const ModelInput& input,
                   std::vector<float>* logits) const;
  Status probe_forward();

  Script script_;
  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
};

Result<at::Tensor> ScriptRunner::checked_logits(const c10::IValue& value,
                                                const std::vector<std::int64_t>& rows) const {
  if (!value.isTensor())
    return internal_error("the model returned no tensor of logits; export it again");
  std::vector<std::int64_t> expected = rows;
  expected.push_back(package_.vocab_size);
  return readable(value.toTensor(), expected, "logits");
}

void ScriptRunner::copy_wanted(const StepSequence& sequence,
                               std::int64_t batch_index,
                               const at::Tensor& dense,
                               const ModelInput& input,
                               std::vector<float>* logits) const {
  const auto vocab = static_cast<std::size_t>(package_.vocab_size);
  const auto first = static_cast<std::int64_t>(sequence.first_row);
  const std::int64_t end = first + sequence.num_new;
  for (std::size_t i = 0; i < input.logits_indices.size(); ++i) {
    const std::int64_t row = input.logits_indices[i];
    if (row < first || row >= end) continue;
    // Rows count from the end: a graph without cache gives logits of the past, too.
    const std::int64_t place = (batch_index + 1) * dense.size(1) - (end - row);
    const float* source = dense.const_data_ptr<float>() + static_cast<std::size_t>(place) * vocab;
    std::copy_n(source, vocab, logits->data() + i * vocab);
  }
}

// A graph that does not do what it promises is a bad model now and not a failure in the middle of
// somebody's answer.
Status ScriptRunner::probe_forward() {
  const std::vector<TokenId> ids(static_cast<std::size_t>(std::min(2, package_.max_seq_len)), 0);
  const Result<std::vector<float>> logits = forward(ids);
  if (logits || logits.error().code() != StatusCode::kInternal) return logits.error();
  return bad_model((package_.folder / kModelFile).string() +
                   " does not compute a step: " + logits.error().message());
}

bool is_wanted(const StepSequence& sequence, const ModelInput& input) {
  const auto first = static_cast<std::int64_t>(sequence.first_row);
  return std::ranges::any_of(input.logits_indices, [&](std::int64_t row) {
    return row >= first && row < first + sequence.num_new;
  });
}

class PagedScript final : public ScriptRunner {
 public:
  using ScriptRunner::ScriptRunner;

  Status open();
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  std::optional<PagedCache> cache_;
  std::unique_ptr<OpsState> state_;
  c10::List<at::Tensor> keys_;
  c10::List<at::Tensor> values_;
  bool has_previous_ids_ = false;
  std::vector<std::int64_t> input_ids_;  // the step's ids, widened
  std::vector<std::int64_t> previous_ids_;
};

Status PagedScript::open() {
  QUIRE_TRY(
      check_arguments(package_, script_.num_arguments(), kPagedArguments, kPagedArguments + 1));
  has_previous_ids_ = script_.num_arguments() > kPagedArguments;
  QUIRE_ASSIGN(const kernels::Isa isa, kernels::choose_isa_from_environment());
  QUIRE_ASSIGN(PagedCache cache, PagedCache::allocate(package_, options_));
  cache_ = std::move(cache);
  state_ = std::make_unique<OpsState>(
      isa, options_.block_size, &*cache_, choose_activation_bits(options_));
  keys_ = tensors_over(cache_->keys(), cache_->num_blocks());
  values_ = tensors_over(cache_->values(), cache_->num_blocks());
  set_spec(cache_->num_blocks());
  return probe_last_position(package_.folder / kModelFile, package_.max_seq_len, this);
}

Status PagedScript::run(const ModelInput& input, std::vector<float>* logits) {
  const auto num_tokens = static_cast<std::int64_t>(input.token_ids.size());
  const auto num_sequences = static_cast<std::int64_t>(input.past_sequence_lengths.size());
  const auto num_rows = static_cast<std::int64_t>(input.logits_indices.size());
  input_ids_.assign(input.token_ids.begin(), input.token_ids.end());
  previous_ids_.assign(input.previous_ids.begin(), input.previous_ids.end());
  std::vector<c10::IValue> arguments;
  arguments.emplace_back(tensor_over(std::span<const std::int64_t>(input_ids_), {num_tokens}));
  arguments.emplace_back(tensor_over(input.cumulative_sequence_lengths, {num_sequences + 1}));
  arguments.emplace_back(tensor_over(input.past_sequence_lengths, {num_sequences}));
  arguments.emplace_back(tensor_over(input.block_table, {num_sequences, input.max_blocks}));
  arguments.emplace_back(tensor_over(input.logits_indices, {num_rows}));
  arguments.emplace_back(keys_);
  arguments.emplace_back(values_);
  if (has_previous_ids_) {
    arguments.emplace_back(tensor_over(std::span<const std::int64_t>(previous_ids_), {num_tokens}));
  }
  const OpsState::Scope scope(state_.get());
  const Result<c10::IValue> result = script_.call(std::move(arguments));
  const Status cause = state_->take_failure();
  if (!result) return cause.ok() ? result.error() : ops::step_failure(cause);
  QUIRE_ASSIGN(const at::Tensor dense, checked_logits(*result, {num_rows}));
  const float* data = dense.const_data_ptr<float>();
  logits->assign(data, data + dense.numel());
  return ok_status();
}

class ExplicitScript final : public ScriptRunner {
 public:
  using ScriptRunner::ScriptRunner;

  Status open();
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  Result<at::Tensor> run_group(const StepGroup& group, const ModelInput& input);
  Result<c10::List<at::Tensor>> gather(const StepGroup& group, std::size_t kind) const;
  Status scatter(const StepGroup& group, const c10::IValue& present, std::size_t kind);

  std::optional<KvBlockStore> store_;  // tensors 2 * layer: keys, 2 * layer + 1: values
  bool has_previous_ids_ = false;
};

Status ExplicitScript::open() {
  QUIRE_TRY(check_arguments(
      package_, script_.num_arguments(), kExplicitArguments, kExplicitArguments + 1));
  has_previous_ids_ = script_.num_arguments() > kExplicitArguments;
  std::vector<KvBlockStore::Shape> shapes;
  for (const CacheLayer& layer : package_.cache_layers) {
    const std::size_t bytes = static_cast<std::size_t>(layer.head_dim) * sizeof(float);
    shapes.insert(shapes.end(), 2, {.num_heads = layer.num_kv_heads, .head_bytes = bytes});
  }
  QUIRE_ASSIGN(const std::uint64_t bytes,
               KvBlockStore::bytes_per_block(shapes, options_.block_size));
  const std::uint64_t available = available_memory_bytes();
  const int num_blocks = choose_num_blocks(bytes, available);
  QUIRE_TRY(check_cache_fits(bytes, num_blocks, available).error());
  QUIRE_ASSIGN(KvBlockStore store,
               KvBlockStore::create(std::move(shapes), num_blocks, options_.block_size));
  store_.emplace(std::move(store));
  set_spec(num_blocks);
  return probe_forward();
}

Result<c10::List<at::Tensor>> ExplicitScript::gather(const StepGroup& group, std::size_t kind) const
    try {
  c10::List<at::Tensor> list;
  const auto batch = static_cast<std::int64_t>(group.sequences.size());
  for (std::size_t layer = 0; layer < package_.cache_layers.size(); ++layer) {
    const CacheLayer& sizes = package_.cache_layers[layer];
    at::Tensor past =
        at::empty({batch, sizes.num_kv_heads, group.past, sizes.head_dim}, at::kFloat);
    auto* out = static_cast<std::byte*>(past.mutable_data_ptr());
    for (const StepSequence& sequence : group.sequences) {
      if (group.past > 0) store_->gather(2 * layer + kind, sequence.blocks, group.past, out);
      out += past.nbytes() / group.sequences.size();
    }
    list.push_back(past);
  }
  return list;
} catch (const std::exception&) {  // sequences may share blocks: the copies may not fit
  return resource_exhausted("not enough memory for a model step");
}

Status ExplicitScript::scatter(const StepGroup& group,
                               const c10::IValue& present,
                               std::size_t kind) {
  const int end = group.past + group.num_new;
  const auto batch = static_cast<std::int64_t>(group.sequences.size());
  if (!present.isTensorList() || present.toTensorList().size() != package_.cache_layers.size()) {
    return internal_error("the model returned no cache of its " +
                          std::to_string(package_.cache_layers.size()) +
                          " layers; export it again");
  }
  const std::vector<at::Tensor> tensors = present.toTensorVector();
  for (std::size_t layer = 0; layer < tensors.size(); ++layer) {
    const CacheLayer& sizes = package_.cache_layers[layer];
    const std::vector<std::int64_t> shape = {batch, sizes.num_kv_heads, end, sizes.head_dim};
    QUIRE_ASSIGN(const at::Tensor dense, readable(tensors[layer], shape, "keys and values"));
    const auto* from = static_cast<const std::byte*>(dense.const_data_ptr());
    for (const StepSequence& sequence : group.sequences) {
      store_->scatter(2 * layer + kind, sequence.blocks, group.past, end, from);
      from += dense.nbytes() / group.sequences.size();
    }
  }
  return ok_status();
}

Result<at::Tensor> ExplicitScript::run_group(const StepGroup& group, const ModelInput& input) {
  const auto batch = static_cast<std::int64_t>(group.sequences.size());
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> positions;
  std::vector<std::int64_t> previous;
  for (const StepSequence& sequence : group.sequences) {
    for (int i = 0; i < group.num_new; ++i) {
      const std::size_t row = sequence.first_row + static_cast<std::size_t>(i);
      ids.push_back(input.token_ids[row]);
      positions.push_back(group.past + i);
      previous.push_back(input.previous_ids[row]);
    }
  }
  const auto tensor = [&](const std::vector<std::int64_t>& list) {
    return tensor_over(std::span<const std::int64_t>(list), {batch, group.num_new});
  };
  QUIRE_ASSIGN(c10::List<at::Tensor> keys, gather(group, 0));
  QUIRE_ASSIGN(c10::List<at::Tensor> values, gather(group, 1));
  std::vector<c10::IValue> arguments = {tensor(ids), std::move(keys), std::move(values)};
  arguments.emplace_back(tensor(positions));
  if (has_previous_ids_) arguments.emplace_back(tensor(previous));
  QUIRE_ASSIGN(const c10::IValue result, script_.call(std::move(arguments)));
  if (!result.isTuple() || result.toTupleRef().elements().size() != 3) {
    return internal_error("the model did not return logits, keys and values; export it again");
  }
  const auto& parts = result.toTupleRef().elements();
  QUIRE_TRY(scatter(group, parts[1], 0));
  QUIRE_TRY(scatter(group, parts[2], 1));
  return checked_logits(parts[0], {batch, group.num_new});
}

Status ExplicitScript::run(const ModelInput& input, std::vector<float>* logits) {
  logits->resize(input.logits_indices.size() * static_cast<std::size_t>(package_.vocab_size));
  for (const StepGroup& group : group_by_length(input)) {
    QUIRE_ASSIGN(const at::Tensor dense, run_group(group, input));
    for (std::size_t i = 0; i < group.sequences.size(); ++i) {
      copy_wanted(group.sequences[i], static_cast<std::int64_t>(i), dense, input, logits);
    }
  }
  return ok_status();
}

class NoneScript final : public ScriptRunner {
 public:
  using ScriptRunner::ScriptRunner;

  Status open();
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  std::optional<TokenBlockStore> store_;
};

Status NoneScript::open() {
  const std::size_t count = script_.num_arguments();
  QUIRE_TRY(check_arguments(package_, count, kNoneArguments, kNoneArguments));
  const std::uint64_t bytes = TokenBlockStore::bytes_per_block(options_.block_size);
  const std::uint64_t available = available_memory_bytes();
  const int num_blocks = choose_num_blocks(bytes, available);
  QUIRE_TRY(check_cache_fits(bytes, num_blocks, available).error());
  QUIRE_ASSIGN(TokenBlockStore store, TokenBlockStore::create(num_blocks, options_.block_size));
  store_.emplace(std::move(store));
  set_spec(num_blocks);
  return probe_forward();
}

Status NoneScript::run(const ModelInput& input, std::vector<float>* logits) {
  logits->resize(input.logits_indices.size() * static_cast<std::size_t>(package_.vocab_size));
  for (StepGroup& group : group_by_length(input)) {
    for (const StepSequence& sequence : group.sequences) {
      const auto count = static_cast<std::size_t>(sequence.num_new);
      store_->write(sequence, input.token_ids.subspan(sequence.first_row, count));
    }
    // A chunk of a prompt that is not its end has nothing to compute.
    std::erase_if(group.sequences, [&](const StepSequence& s) { return !is_wanted(s, input); });
    if (group.sequences.empty()) continue;
    const auto batch = static_cast<std::int64_t>(group.sequences.size());
    const int length = group.past + group.num_new;
    std::vector<std::int64_t> ids;
    for (const StepSequence& sequence : group.sequences) {
      for (int i = 0; i < length; ++i) ids.push_back(store_->read(sequence.blocks, i));
    }
    const at::Tensor tokens = tensor_over(std::span<const std::int64_t>(ids), {batch, length});
    const at::Tensor offset = at::zeros({}, at::kLong);
    QUIRE_ASSIGN(const c10::IValue result, script_.call({tokens, offset}));
    QUIRE_ASSIGN(const at::Tensor dense, checked_logits(result, {batch, length}));
    for (std::size_t i = 0; i < group.sequences.size(); ++i) {
      copy_wanted(group.sequences[i], static_cast<std::int64_t>(i), dense, input, logits);
    }
  }
  return ok_status();
}

template <typename Runner>
Result<std::unique_ptr<ModelRunner>> open_as(Script script,
                                             const ModelPackage& package,
                                             const EngineOptions& options) {
  auto runner = std::make_unique<Runner>(std::move(script), package, options);
  QUIRE_TRY(runner->open());
  return std::unique_ptr<ModelRunner>(std::move(runner));
}

Result<std::unique_ptr<ModelRunner>> open_script(const ModelPackage& package,
                                                 const EngineOptions& options) {
  QUIRE_TRY(check_precision(package, options));
  QUIRE_ASSIGN(Script script, Script::load(package, options));
  if (package.graph == "paged") return open_as<PagedScript>(std::move(script), package, options);
  if (package.graph == "explicit") {
    return open_as<ExplicitScript>(std::move(script), package, options);
  }
  return open_as<NoneScript>(std::move(script), package, options);
}

}  // namespace
}  // namespace quire::torch_backend

extern "C" {

__attribute__((visibility("default"))) const char* quire_torch_version() {
  return quire::torch_backend::kPluginVersion;
}

__attribute__((visibility("default"))) void quire_torch_open(
    const quire::ModelPackage& package,
    const quire::EngineOptions& options,
    quire::torch_backend::OpenedRunner* opened) {
  opened->emplace(quire::torch_backend::open_script(package, options));
}
}
