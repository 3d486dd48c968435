#include "runner/torch/torch_ops.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"

namespace quire::torch_backend {

// A packed matrix, and the tensors it was made of: held, so that their addresses stay taken.
struct PackedEntry {
  at::Tensor weight;
  at::Tensor bias;
  kernels::PackedLinear packed;
};

struct OpsState::Impl {
  kernels::Isa isa = kernels::Isa::kPortable;
  std::int64_t block_size = 16;
  const PagedCache* cache = nullptr;
  kernels::Workspace workspace;
  std::unordered_map<const void*, PackedEntry> packed;
};

namespace {

using OptionalTensor = std::optional<at::Tensor>;

thread_local OpsState* current_state = nullptr;

// Runs kernels on LibTorch's own threads.
class TorchExecutor final : public kernels::Executor {
 public:
  int num_threads() const override { return at::get_num_threads(); }
  void parallel_for(std::int64_t n, kernels::FunctionRef<void(std::int64_t)> body) override {
    at::parallel_for(0, n, 1, [&body](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) body(i);
    });
  }
};

// Operators fail by exceptions: that is LibTorch's way, and the runner catches them.
void require(const Status& status, const char* op) {
  TORCH_CHECK(status.ok(), "quire::", op, ": ", status.message());
}

OpsState::Impl& state_of(const char* op) {
  TORCH_CHECK(current_state != nullptr, "quire::", op, " runs inside quire only");
  return current_state->impl();
}

at::Tensor checked(const at::Tensor& tensor, at::ScalarType type, const char* name) {
  TORCH_CHECK(tensor.scalar_type() == type && tensor.device().is_cpu(),
              name,
              " must be a CPU tensor of type ",
              at::toString(type));
  return tensor.contiguous();
}

template <typename T>
std::span<const T> view(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

std::span<float> output(const at::Tensor& tensor) {
  return {tensor.mutable_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

// Rows of float activations whose last dimension is a multiple of `width`.
at::Tensor rows(const at::Tensor& x, std::int64_t width) {
  at::Tensor dense = checked(x, at::kFloat, "x");
  TORCH_CHECK(dense.dim() >= 1 && width >= 1 && dense.size(-1) % width == 0,
              "x must have a last dimension of a multiple of ",
              width);
  return dense;
}

at::Tensor empty_like_rows(const at::Tensor& x, std::int64_t width) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = width;
  return at::empty(shape, x.options());
}

std::span<const std::uint16_t> half_view(const OptionalTensor& tensor, const char* name) {
  if (!tensor) return {};
  TORCH_CHECK(tensor->scalar_type() == at::kHalf && tensor->is_contiguous(), name, " must be half");
  const auto* data = static_cast<const std::uint16_t*>(tensor->const_data_ptr());
  return {data, static_cast<std::size_t>(tensor->numel())};
}

kernels::WeightView weight_view(const at::Tensor& weight,
                                const OptionalTensor& scale,
                                const OptionalTensor& minimum,
                                std::int64_t k) {
  using kernels::WeightType;
  kernels::WeightView result;
  switch (weight.scalar_type()) {
    case at::kByte:
      result.type = WeightType::kInt4;
      break;
    case at::kChar:
      result.type = WeightType::kInt8;
      break;
    case at::kHalf:
      result.type = WeightType::kFloat16;
      break;
    case at::kBFloat16:
      result.type = WeightType::kBfloat16;
      break;
    default:
      TORCH_CHECK(weight.scalar_type() == at::kFloat, "weight has an unsupported type");
  }
  TORCH_CHECK(weight.is_contiguous() && weight.device().is_cpu() && weight.dim() >= 2,
              "weight must be a contiguous CPU matrix");
  result.k = k;
  result.n = weight.size(0);
  result.weight = {static_cast<const std::byte*>(weight.const_data_ptr()), weight.nbytes()};
  result.scale = half_view(scale, "scale");
  result.min = half_view(minimum, "min");
  require(kernels::check_weights(result), "linear");
  return result;
}

const kernels::PackedLinear& packed_weights(OpsState::Impl& state,
                                            const kernels::WeightView& weights,
                                            const at::Tensor& weight,
                                            const OptionalTensor& bias) {
  const auto found = state.packed.find(weight.const_data_ptr());
  const at::Tensor held = bias ? checked(*bias, at::kFloat, "bias") : at::Tensor();
  if (found != state.packed.end()) {
    const PackedEntry& entry = found->second;
    TORCH_CHECK(
        entry.packed.k() == weights.k && entry.packed.n() == weights.n && entry.bias.is_same(held),
        "one weight is used with two biases or shapes");
    return entry.packed;
  }
  auto packed = kernels::PackedLinear::pack(
      weights, held.defined() ? view<float>(held) : std::span<const float>());
  require(packed.error(), "linear");
  const auto made =
      state.packed.emplace(weight.const_data_ptr(), PackedEntry{weight, held, *std::move(packed)});
  return made.first->second.packed;
}

// Arguments of a call, in the order of its schema. The longest operators are called so: their
// parameters are more than a function should have.
class Arguments {
 public:
  Arguments(torch::jit::Stack& stack, std::size_t count)
      : stack_(stack), first_(stack.size() - count) {}

  at::Tensor tensor() { return next().toTensor(); }
  OptionalTensor optional_tensor() {
    const c10::IValue& value = next();
    return value.isNone() ? OptionalTensor() : OptionalTensor(value.toTensor());
  }
  std::int64_t integer() { return next().toInt(); }
  float number() { return static_cast<float>(next().toDouble()); }
  bool boolean() { return next().toBool(); }

  // Replaces the arguments by the result.
  void finish(at::Tensor result) {
    stack_.resize(first_);
    stack_.emplace_back(std::move(result));
  }

 private:
  const c10::IValue& next() { return stack_.at(first_ + used_++); }

  torch::jit::Stack& stack_;
  std::size_t first_;
  std::size_t used_ = 0;
};

void linear(const c10::OperatorHandle&, torch::jit::Stack* stack) {
  OpsState::Impl& state = state_of("linear");
  Arguments arguments(*stack, 7);
  const at::Tensor x = arguments.tensor();
  const at::Tensor weight = arguments.tensor();
  const OptionalTensor scale = arguments.optional_tensor();
  const OptionalTensor minimum = arguments.optional_tensor();
  const OptionalTensor bias = arguments.optional_tensor();
  const std::int64_t k = arguments.integer();
  const std::int64_t activation_bits = arguments.integer();
  TORCH_CHECK(activation_bits == 8 || activation_bits == 16, "activation_bits must be 8 or 16");
  const kernels::WeightView weights = weight_view(weight, scale, minimum, k);
  const kernels::PackedLinear& packed = packed_weights(state, weights, weight, bias);
  const at::Tensor dense = rows(x, k);
  TORCH_CHECK(dense.size(-1) == k, "x must have a last dimension of ", k);
  const at::Tensor y = empty_like_rows(dense, weights.n);
  TorchExecutor executor;
  const auto bits =
      activation_bits == 8 ? kernels::ActivationBits::k8 : kernels::ActivationBits::k16;
  require(kernels::linear(
              {state.isa, executor, state.workspace}, packed, bits, view<float>(dense), output(y)),
          "linear");
  arguments.finish(y);
}

at::Tensor embedding(const at::Tensor& ids,
                     const at::Tensor& weight,
                     const OptionalTensor& scale,
                     const OptionalTensor& minimum,
                     std::int64_t k) {
  const kernels::WeightView weights = weight_view(weight, scale, minimum, k);
  const at::Tensor dense = checked(ids, at::kLong, "ids");
  std::vector<std::int64_t> shape = dense.sizes().vec();
  shape.push_back(k);
  at::Tensor y = at::empty(shape, dense.options().dtype(at::kFloat));
  require(kernels::embedding(weights, view<std::int64_t>(dense), output(y)), "embedding");
  return y;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  OpsState::Impl& state = state_of("rms_norm");
  const at::Tensor factors = checked(weight, at::kFloat, "weight");
  const at::Tensor dense = rows(x, factors.numel());
  at::Tensor y = empty_like_rows(dense, dense.size(-1));
  TorchExecutor executor;
  require(kernels::rms_norm({state.isa, executor, state.workspace},
                            view<float>(dense),
                            view<float>(factors),
                            static_cast<float>(epsilon),
                            output(y)),
          "rms_norm");
  return y;
}

at::Tensor layer_norm(const at::Tensor& x,
                      const at::Tensor& weight,
                      const OptionalTensor& bias,
                      double epsilon) {
  OpsState::Impl& state = state_of("layer_norm");
  const at::Tensor factors = checked(weight, at::kFloat, "weight");
  const at::Tensor added = bias ? checked(*bias, at::kFloat, "bias") : at::Tensor();
  const at::Tensor dense = rows(x, factors.numel());
  at::Tensor y = empty_like_rows(dense, dense.size(-1));
  TorchExecutor executor;
  require(kernels::layer_norm({state.isa, executor, state.workspace},
                              view<float>(dense),
                              view<float>(factors),
                              added.defined() ? view<float>(added) : std::span<const float>(),
                              static_cast<float>(epsilon),
                              output(y)),
          "layer_norm");
  return y;
}

at::Tensor activate(const at::Tensor& x, const kernels::ActivationParams& params) {
  OpsState::Impl& state = state_of("activation");
  const std::int64_t parts = params.gated ? 2 : 1;
  const at::Tensor dense = rows(x, parts);
  const std::int64_t width = dense.size(-1) / parts;
  at::Tensor y = empty_like_rows(dense, width);
  TorchExecutor executor;
  require(kernels::activate(
              {state.isa, executor, state.workspace}, params, view<float>(dense), width, output(y)),
          "activation");
  return y;
}

kernels::ActivationKind kind_of(std::string_view name) {
  const auto kind = kernels::activation_kind(name);
  TORCH_CHECK(kind.has_value(), "the activation is unknown");
  return *kind;
}

at::Tensor activation(const at::Tensor& x, std::string_view kind) {
  return activate(x, {.kind = kind_of(kind)});
}

at::Tensor gated_activation(const at::Tensor& x, std::string_view kind) {
  return activate(x, {.kind = kind_of(kind), .gated = true});
}

at::Tensor soft_cap(const at::Tensor& x, double cap) {
  return activate(x, {.kind = kernels::ActivationKind::kSoftCap, .cap = static_cast<float>(cap)});
}

// The address of one layer's region: any other tensor would lose what attention writes.
std::uint8_t* region_of(const std::vector<PagedCache::Region>& regions,
                        const at::Tensor& cache,
                        const OpsState::Impl& state) {
  for (const PagedCache::Region& region : regions) {
    if (cache.const_data_ptr() != region.data) continue;
    TORCH_CHECK(cache.dim() == 2 && cache.is_contiguous() &&
                    cache.size(0) == state.cache->num_blocks() &&
                    cache.size(1) == region.block_bytes,
                "a cache has another shape than the runner gave it");
    return region.data;
  }
  TORCH_CHECK(false, "a cache is not where the runner put it: its writes would be lost");
}

struct AttentionTensors {
  at::Tensor query;
  at::Tensor key;
  at::Tensor value;
  at::Tensor cos;
  at::Tensor sin;
  at::Tensor sink;
  at::Tensor cumulative;
  at::Tensor past;
  at::Tensor table;
};

void set_rows(const AttentionTensors& tensors,
              kernels::AttentionParams& params,
              kernels::AttentionInputs& inputs) {
  const bool packed = !tensors.key.defined();
  const std::int64_t heads = params.num_heads + (packed ? 2 * params.kv_num_heads : 0);
  const std::int64_t width = tensors.query.size(1);
  TORCH_CHECK(heads > 0 && width % heads == 0, "query is no multiple of its heads");
  params.head_dim = width / heads;
  inputs.num_tokens = tensors.query.size(0);
  const float* query = tensors.query.const_data_ptr<float>();
  inputs.query = {query, width};
  const std::int64_t kv_width = params.kv_num_heads * params.head_dim;
  if (packed) {
    inputs.key = {query + params.num_heads * params.head_dim, width};
    inputs.value = {inputs.key.data + kv_width, width};
    return;
  }
  for (const at::Tensor& part : {tensors.key, tensors.value}) {
    TORCH_CHECK(part.dim() == 2 && part.size(0) == inputs.num_tokens && part.size(1) == kv_width,
                "key and value must be as query and kv_num_heads say");
  }
  inputs.key = {tensors.key.const_data_ptr<float>(), kv_width};
  inputs.value = {tensors.value.const_data_ptr<float>(), kv_width};
}

void set_batch(const AttentionTensors& tensors,
               const kernels::AttentionParams& params,
               kernels::AttentionInputs& inputs) {
  inputs.cumulative_lengths = view<std::int32_t>(tensors.cumulative);
  inputs.past_lengths = view<std::int32_t>(tensors.past);
  inputs.block_table = view<std::int32_t>(tensors.table);
  if (tensors.sink.defined()) {
    TORCH_CHECK(tensors.sink.numel() == params.num_heads, "head_sink must have one entry a head");
    inputs.head_sink = view<float>(tensors.sink);
  }
  if (!params.do_rotary) return;
  TORCH_CHECK(tensors.cos.defined() && tensors.sin.defined() && tensors.cos.dim() == 2 &&
                  tensors.cos.sizes() == tensors.sin.sizes(),
              "do_rotary needs cos and sin of one shape");
  inputs.cos = view<float>(tensors.cos);
  inputs.sin = view<float>(tensors.sin);
  inputs.rotary_half = tensors.cos.size(1);
}

at::Tensor checked_or_none(const OptionalTensor& tensor, at::ScalarType type, const char* name) {
  return tensor ? checked(*tensor, type, name) : at::Tensor();
}

// The tensors and settings of one call of paged_attention.
struct AttentionCallArguments {
  AttentionTensors tensors;
  at::Tensor key_cache;
  at::Tensor value_cache;
  kernels::AttentionParams params;
};

AttentionCallArguments read_attention(Arguments& arguments, const OpsState::Impl& state) {
  AttentionCallArguments call;
  AttentionTensors& tensors = call.tensors;
  tensors.query = checked(arguments.tensor(), at::kFloat, "query");
  tensors.key = checked_or_none(arguments.optional_tensor(), at::kFloat, "key");
  tensors.value = checked_or_none(arguments.optional_tensor(), at::kFloat, "value");
  call.key_cache = arguments.tensor();
  call.value_cache = arguments.tensor();
  tensors.cumulative = checked(arguments.tensor(), at::kInt, "cumulative_sequence_lengths");
  tensors.past = checked(arguments.tensor(), at::kInt, "past_sequence_lengths");
  tensors.table = checked(arguments.tensor(), at::kInt, "block_table");
  tensors.cos = checked_or_none(arguments.optional_tensor(), at::kFloat, "cos");
  tensors.sin = checked_or_none(arguments.optional_tensor(), at::kFloat, "sin");
  tensors.sink = checked_or_none(arguments.optional_tensor(), at::kFloat, "head_sink");
  call.params.num_heads = arguments.integer();
  call.params.kv_num_heads = arguments.integer();
  call.params.scale = arguments.number();
  call.params.softcap = arguments.number();
  call.params.local_window_size = arguments.integer();
  call.params.do_rotary = arguments.boolean();
  call.params.rotary_interleaved = arguments.boolean();
  call.params.block_size = state.block_size;
  call.params.dtype = state.cache->dtype();
  TORCH_CHECK(tensors.query.dim() == 2, "query must have two dimensions");
  TORCH_CHECK(tensors.key.defined() == tensors.value.defined(),
              "key and value must both be given, or none");
  TORCH_CHECK(call.params.num_heads > 0 && call.params.kv_num_heads > 0 &&
                  call.params.num_heads <= kernels::kMaxHeads &&
                  call.params.kv_num_heads <= kernels::kMaxHeads,
              "the numbers of heads are out of bounds");
  return call;
}

void paged_attention(const c10::OperatorHandle&, torch::jit::Stack* stack) {
  OpsState::Impl& state = state_of("paged_attention");
  Arguments arguments(*stack, 18);
  AttentionCallArguments call = read_attention(arguments, state);
  kernels::AttentionParams& params = call.params;
  kernels::AttentionInputs inputs;
  set_rows(call.tensors, params, inputs);
  set_batch(call.tensors, params, inputs);
  inputs.num_blocks = state.cache->num_blocks();
  inputs.key_cache = region_of(state.cache->keys(), call.key_cache, state);
  inputs.value_cache = region_of(state.cache->values(), call.value_cache, state);
  const auto bytes =
      kernels::block_bytes(params.kv_num_heads, params.head_dim, params.block_size, params.dtype);
  require(bytes.error(), "paged_attention");
  TORCH_CHECK(*bytes == call.key_cache.size(1) && *bytes == call.value_cache.size(1),
              "the cache's blocks do not fit heads and head size");
  const at::Tensor y = at::empty({inputs.num_tokens, params.num_heads * params.head_dim},
                                 call.tensors.query.options());
  TorchExecutor executor;
  require(
      kernels::paged_attention({state.isa, executor, state.workspace}, params, inputs, output(y)),
      "paged_attention");
  arguments.finish(y);
}

}  // namespace

OpsState::OpsState(kernels::Isa isa, std::int64_t block_size, const PagedCache* cache)
    : impl_(std::make_unique<Impl>()) {
  impl_->isa = isa;
  impl_->block_size = block_size;
  impl_->cache = cache;
}

OpsState::~OpsState() = default;

OpsState::Scope::Scope(OpsState* state) { current_state = state; }
OpsState::Scope::~Scope() { current_state = nullptr; }

}  // namespace quire::torch_backend

// Kept equal to python/quire_export/torchscript_ops.py, which writes graphs against them.
TORCH_LIBRARY(quire, m) {
  m.def(
      "linear(Tensor x, Tensor weight, Tensor? scale, Tensor? min, Tensor? bias, int k, "
      "int activation_bits) -> Tensor");
  m.def("embedding(Tensor ids, Tensor weight, Tensor? scale, Tensor? min, int k) -> Tensor");
  m.def("rms_norm(Tensor x, Tensor weight, float epsilon) -> Tensor");
  m.def("layer_norm(Tensor x, Tensor weight, Tensor? bias, float epsilon) -> Tensor");
  m.def("activation(Tensor x, str kind) -> Tensor");
  m.def("gated_activation(Tensor x, str kind) -> Tensor");
  m.def("soft_cap(Tensor x, float cap) -> Tensor");
  m.def(
      "paged_attention(Tensor query, Tensor? key, Tensor? value, Tensor(a!) key_cache, "
      "Tensor(b!) value_cache, Tensor cumulative_sequence_lengths, "
      "Tensor past_sequence_lengths, Tensor block_table, Tensor? cos, Tensor? sin, "
      "Tensor? head_sink, int num_heads, int kv_num_heads, float scale, float softcap, "
      "int local_window_size, bool do_rotary, bool rotary_interleaved) -> Tensor");
}

TORCH_LIBRARY_IMPL(quire, CPU, m) {
  m.impl("linear", torch::CppFunction::makeFromBoxedFunction<&quire::torch_backend::linear>());
  m.impl("embedding", quire::torch_backend::embedding);
  m.impl("rms_norm", quire::torch_backend::rms_norm);
  m.impl("layer_norm", quire::torch_backend::layer_norm);
  m.impl("activation", quire::torch_backend::activation);
  m.impl("gated_activation", quire::torch_backend::gated_activation);
  m.impl("soft_cap", quire::torch_backend::soft_cap);
  m.impl("paged_attention",
         torch::CppFunction::makeFromBoxedFunction<&quire::torch_backend::paged_attention>());
}
