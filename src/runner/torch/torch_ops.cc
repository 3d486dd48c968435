#include "runner/torch/torch_ops.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ops/operator.h"
#include "ops/paged_graph.h"

namespace quire::torch_backend {

// A Linear with its weights packed, and the tensors it was made of: held, so that their addresses
// stay taken.
struct PackedEntry {
  at::Tensor weight;
  at::Tensor bias;
  std::int64_t k = 0;
  std::unique_ptr<ops::Operator> op;
};

struct OpsState::Impl {
  ops::Environment environment;
  std::unordered_map<const void*, PackedEntry> packed;
  Status failure;
};

namespace {

using OptionalTensor = std::optional<at::Tensor>;

constexpr std::size_t kMaxInputs = 11;

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

OpsState::Impl& state_of(std::string_view op) {
  TORCH_CHECK(current_state != nullptr, "quire::", op, " runs inside quire only");
  return current_state->impl();
}

// Operators fail by exceptions: that is LibTorch's way, and the runner catches them and asks for
// the cause as it was.
void require(const Status& status, std::string_view op) {
  if (status.ok()) return;
  if (current_state != nullptr) current_state->impl().failure = status.with_context(op);
  TORCH_CHECK(false, "quire::", op, ": ", status.message());
}

std::optional<ops::ElementType> element_type(at::ScalarType type) {
  using ops::ElementType;
  switch (type) {
    case at::kFloat:
      return ElementType::kFloat32;
    case at::kHalf:
      return ElementType::kFloat16;
    case at::kBFloat16:
      return ElementType::kBfloat16;
    case at::kByte:
      return ElementType::kUint8;
    case at::kChar:
      return ElementType::kInt8;
    case at::kInt:
      return ElementType::kInt32;
    case at::kLong:
      return ElementType::kInt64;
    case at::kBool:
      return ElementType::kBool;
    default:
      return std::nullopt;
  }
}

// The arguments of one call as the operators see them. Dense copies live as long as this.
class Inputs {
 public:
  explicit Inputs(std::string_view op) : op_(op) {}

  void add(const at::Tensor& tensor) {
    TORCH_CHECK(tensor.device().is_cpu(), "quire::", op_, " takes CPU tensors only");
    const auto type = element_type(tensor.scalar_type());
    TORCH_CHECK(type, "quire::", op_, " does not take type ", at::toString(tensor.scalar_type()));
    at::Tensor& dense = dense_.at(count_);
    dense = tensor.contiguous();
    const auto sizes = dense.sizes();
    const auto shape = ops::Shape::of({sizes.data(), sizes.size()});
    TORCH_CHECK(shape, "quire::", op_, ": a tensor has too many or too large dimensions");
    tensors_.at(count_++) = {
        .present = true, .type = *type, .shape = *shape, .data = dense.const_data_ptr()};
  }
  void add(const OptionalTensor& tensor) {
    if (tensor) return add(*tensor);
    ++count_;
  }

  std::span<const ops::Tensor> tensors() const { return {tensors_.data(), count_}; }
  std::string_view op() const { return op_; }

  // A node of these inputs; the first `num_free` of them come with each call, the others are
  // constants of the graph.
  ops::Node node(std::size_t num_free) const {
    ops::Node node;
    for (std::size_t i = 0; i < count_; ++i) {
      node.inputs.push_back({.present = tensors_[i].present});
      if (i >= num_free) node.inputs.back().constant = tensors_[i];
    }
    return node;
  }

 private:
  std::string_view op_;
  std::array<at::Tensor, kMaxInputs> dense_;
  std::array<ops::Tensor, kMaxInputs> tensors_;
  std::size_t count_ = 0;
};

std::unique_ptr<ops::Operator> make(std::string_view table_name,
                                    const ops::Node& node,
                                    std::string_view op) {
  const ops::OperatorSpec* spec = ops::find_operator(table_name);
  auto made = spec->make(node, &state_of(op).environment);
  require(made.error(), op);
  return *std::move(made);
}

at::Tensor run(ops::Operator* op, const Inputs& inputs) {
  const auto shape = op->output_shape(inputs.tensors());
  require(shape.error(), inputs.op());
  const at::Tensor y = at::empty(at::IntArrayRef(shape->dims().data(), shape->rank()),
                                 at::TensorOptions(at::kFloat));
  TorchExecutor executor;
  require(ops::run_alone(&state_of(inputs.op()).environment,
                         op,
                         executor,
                         inputs.tensors(),
                         {y.mutable_data_ptr<float>(), static_cast<std::size_t>(y.numel())}),
          inputs.op());
  return y;
}

// LibTorch's schemas leave out what the weight itself says.
void set_storage(const at::Tensor& weight, std::int64_t k, ops::Attributes* attributes) {
  const auto type = weight.scalar_type();
  std::int64_t bits = 32;
  if (type == at::kByte) bits = 4;
  if (type == at::kChar) bits = 8;
  if (type == at::kHalf || type == at::kBFloat16) bits = 16;
  attributes->set("K", k);
  attributes->set("N", weight.dim() > 0 ? weight.size(0) : 0);
  attributes->set("bits", bits);
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
  Inputs inputs("linear");
  inputs.add(arguments.tensor());
  const at::Tensor weight = arguments.tensor();
  inputs.add(weight);
  inputs.add(arguments.optional_tensor());
  inputs.add(arguments.optional_tensor());
  const OptionalTensor bias = arguments.optional_tensor();
  inputs.add(bias);
  const std::int64_t k = arguments.integer();
  const std::int64_t activation_bits = arguments.integer();
  PackedEntry& entry = state.packed[weight.const_data_ptr()];
  const at::Tensor held = bias ? *bias : at::Tensor();
  if (entry.op == nullptr) {
    ops::Node node = inputs.node(1);
    set_storage(weight, k, &node.attributes);
    node.attributes.set("activation_bits", activation_bits);
    entry = {weight, held, k, make("Linear", node, "linear")};
  }
  TORCH_CHECK(entry.k == k && entry.weight.sizes() == weight.sizes() && entry.bias.is_same(held),
              "one weight is used with two biases or shapes");
  arguments.finish(run(entry.op.get(), inputs));
}

at::Tensor embedding(const at::Tensor& ids,
                     const at::Tensor& weight,
                     const OptionalTensor& scale,
                     const OptionalTensor& minimum,
                     std::int64_t k) {
  Inputs inputs("embedding");
  inputs.add(ids);
  inputs.add(weight);
  inputs.add(scale);
  inputs.add(minimum);
  ops::Node node = inputs.node(1);
  set_storage(weight, k, &node.attributes);
  return run(make("Embedding", node, "embedding").get(), inputs);
}

at::Tensor norm(std::string_view table_name, const Inputs& inputs, double epsilon) {
  ops::Node node = inputs.node(1);
  node.attributes.set("epsilon", static_cast<float>(epsilon));
  return run(make(table_name, node, inputs.op()).get(), inputs);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  Inputs inputs("rms_norm");
  inputs.add(x);
  inputs.add(weight);
  return norm("RMSNorm", inputs, epsilon);
}

at::Tensor layer_norm(const at::Tensor& x,
                      const at::Tensor& weight,
                      const OptionalTensor& bias,
                      double epsilon) {
  Inputs inputs("layer_norm");
  inputs.add(x);
  inputs.add(weight);
  inputs.add(bias);
  return norm("LayerNorm", inputs, epsilon);
}

at::Tensor activate(std::string_view table_name,
                    const at::Tensor& x,
                    const char* attribute,
                    ops::Attributes::Value value) {
  Inputs inputs("activation");
  inputs.add(x);
  ops::Node node = inputs.node(1);
  node.attributes.set(attribute, std::move(value));
  return run(make(table_name, node, inputs.op()).get(), inputs);
}

at::Tensor activation(const at::Tensor& x, std::string_view kind) {
  return activate("Activation", x, "kind", std::string(kind));
}

at::Tensor gated_activation(const at::Tensor& x, std::string_view kind) {
  return activate("GatedActivation", x, "kind", std::string(kind));
}

at::Tensor soft_cap(const at::Tensor& x, double cap) {
  return activate("SoftCap", x, "cap", static_cast<float>(cap));
}

void paged_attention(const c10::OperatorHandle&, torch::jit::Stack* stack) {
  Arguments arguments(*stack, 18);
  Inputs inputs("paged_attention");
  inputs.add(arguments.tensor());                                       // query
  inputs.add(arguments.optional_tensor());                              // key
  inputs.add(arguments.optional_tensor());                              // value
  for (int i = 0; i < 5; ++i) inputs.add(arguments.tensor());           // caches, lengths, table
  for (int i = 0; i < 3; ++i) inputs.add(arguments.optional_tensor());  // cos, sin, head_sink
  ops::Node node = inputs.node(kMaxInputs);
  node.attributes.set("num_heads", arguments.integer());
  node.attributes.set("kv_num_heads", arguments.integer());
  node.attributes.set("scale", arguments.number());
  node.attributes.set("softcap", arguments.number());
  node.attributes.set("local_window_size", arguments.integer());
  node.attributes.set("do_rotary", std::int64_t{arguments.boolean()});
  node.attributes.set("rotary_interleaved", std::int64_t{arguments.boolean()});
  arguments.finish(run(make("PagedAttention", node, inputs.op()).get(), inputs));
}

}  // namespace

OpsState::OpsState(kernels::Isa isa,
                   std::int64_t block_size,
                   const PagedCache* cache,
                   std::optional<kernels::ActivationBits> activation_bits)
    : impl_(std::make_unique<Impl>()) {
  ops::Environment& environment = impl_->environment;
  environment.isa = isa;
  environment.block_size = block_size;
  environment.kv_dtype = cache->dtype();
  environment.activation_bits = activation_bits;
  for (std::size_t layer = 0; layer < cache->keys().size(); ++layer) {
    environment.pools[ops::key_cache_name(layer)] = {cache->keys()[layer].data,
                                                     cache->num_blocks()};
    environment.pools[ops::value_cache_name(layer)] = {cache->values()[layer].data,
                                                       cache->num_blocks()};
  }
}

OpsState::~OpsState() = default;

Status OpsState::take_failure() { return std::exchange(impl_->failure, ok_status()); }

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
