#include "runner/onnx/quire_ops.h"

#include <onnxruntime_cxx_api.h>

#include <cmath>
#include <utility>

#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "runner/onnx/quire_ops_attention.h"
#include "runner/onnx/quire_ops_common.h"

namespace quire::onnx {
namespace {

constexpr ONNXTensorElementDataType kAnyType = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
constexpr ONNXTensorElementDataType kHalf = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;

// The output of a row-wise operator: the input's shape with another last dimension.
std::span<float> row_output(Ort::KernelContext& context,
                            std::vector<std::int64_t> shape,
                            std::int64_t width) {
  shape.back() = width;
  const std::size_t count = element_count(shape).value_or(0);
  auto output = context.GetOutput(0, shape);
  return {output.GetTensorMutableData<float>(), count};
}

// Rows of activations, at least one dimension, the last of them `width`.
Result<TensorView<float>> row_input(Ort::KernelContext& context, std::int64_t width) {
  QUIRE_ASSIGN(TensorView<float> x, tensor<float>(context.GetInput(0), -1, "x"));
  if (x.shape.empty() || (width > 0 && x.shape.back() != width)) {
    return bad_model("x must have a last dimension of " + std::to_string(width));
  }
  return x;
}

Result<kernels::ActivationBits> activation_bits(Ort::ConstKernelInfo info) {
  QUIRE_ASSIGN(const std::int64_t bits, optional_int(info, "activation_bits", 8));
  if (bits == 8) return kernels::ActivationBits::k8;
  if (bits == 16) return kernels::ActivationBits::k16;
  return bad_model("activation_bits must be 8 or 16, not " + std::to_string(bits));
}

// quire::Linear. Packs its weights when it is made and never looks at the initializers again.
class LinearKernel : public KernelBase<LinearKernel> {
 public:
  static constexpr const char* kName = "Linear";
  static constexpr InputSpec kInputs[] = {{element_type<float>()},
                                          {kAnyType},
                                          {kHalf, true},
                                          {kHalf, true},
                                          {element_type<float>(), true}};

  static Result<std::unique_ptr<LinearKernel>> create(Ort::ConstKernelInfo info, OpsState& state) {
    QUIRE_ASSIGN(const kernels::WeightView weights, constant_weights(info));
    std::span<const float> bias;
    QUIRE_ASSIGN(const Ort::ConstValue value, constant_input(info, 4));
    if (value != nullptr) {
      QUIRE_ASSIGN(const TensorView<float> view, tensor<float>(value, 1, "bias"));
      bias = view.data;
      if (bias.empty()) return bad_model("bias is empty");
    }
    QUIRE_ASSIGN(const kernels::ActivationBits bits, activation_bits(info));
    QUIRE_ASSIGN(kernels::PackedLinear packed, kernels::PackedLinear::pack(weights, bias));
    return std::unique_ptr<LinearKernel>(new LinearKernel(state, std::move(packed), bits));
  }

  ~LinearKernel() { state_.weight_bytes -= static_cast<std::int64_t>(weights_.memory_bytes()); }
  LinearKernel(const LinearKernel&) = delete;
  LinearKernel& operator=(const LinearKernel&) = delete;

  Status run(Ort::KernelContext& context) {
    QUIRE_ASSIGN(const TensorView<float> x, row_input(context, weights_.k()));
    const std::span<float> y = row_output(context, x.shape, weights_.n());
    QUIRE_ASSIGN(const OpRun hold, OpRun::start(state_));
    OrtExecutor executor(context, state_.config.num_threads);
    return kernels::linear(
        {state_.config.isa, executor, state_.workspace}, weights_, activation_bits_, x.data, y);
  }

 private:
  LinearKernel(OpsState& state, kernels::PackedLinear weights, kernels::ActivationBits bits)
      : state_(state), weights_(std::move(weights)), activation_bits_(bits) {
    state_.weight_bytes += static_cast<std::int64_t>(weights_.memory_bytes());
  }

  OpsState& state_;
  kernels::PackedLinear weights_;
  kernels::ActivationBits activation_bits_;
};

// quire::Embedding. Reads the session's initializer in place: a tied output layer packs its own.
class EmbeddingKernel : public KernelBase<EmbeddingKernel> {
 public:
  static constexpr const char* kName = "Embedding";
  static constexpr InputSpec kInputs[] = {
      {element_type<std::int64_t>()}, {kAnyType}, {kHalf, true}, {kHalf, true}};

  static Result<std::unique_ptr<EmbeddingKernel>> create(Ort::ConstKernelInfo info, OpsState&) {
    QUIRE_ASSIGN(const kernels::WeightView weights, constant_weights(info));
    return std::unique_ptr<EmbeddingKernel>(new EmbeddingKernel(weights));
  }

  Status run(Ort::KernelContext& context) {
    QUIRE_ASSIGN(TensorView<std::int64_t> ids,
                 tensor<std::int64_t>(context.GetInput(0), -1, "ids"));
    ids.shape.push_back(weights_.k);
    const std::span<float> y = row_output(context, ids.shape, weights_.k);
    return kernels::embedding(weights_, ids.data, y);
  }

 private:
  explicit EmbeddingKernel(const kernels::WeightView& weights) : weights_(weights) {}

  kernels::WeightView weights_;
};

class RmsNormKernel : public KernelBase<RmsNormKernel> {
 public:
  static constexpr const char* kName = "RMSNorm";
  static constexpr InputSpec kInputs[] = {{element_type<float>()}, {element_type<float>()}};

  static Result<std::unique_ptr<RmsNormKernel>> create(Ort::ConstKernelInfo info, OpsState& state) {
    QUIRE_ASSIGN(const float epsilon, optional_float(info, "epsilon", 1e-5F));
    if (!(epsilon >= 0.0F)) return bad_model("epsilon must not be negative");
    return std::unique_ptr<RmsNormKernel>(new RmsNormKernel(state, epsilon));
  }

  Status run(Ort::KernelContext& context) {
    QUIRE_ASSIGN(const TensorView<float> weight, tensor<float>(context.GetInput(1), 1, "weight"));
    QUIRE_ASSIGN(const TensorView<float> x, row_input(context, 0));
    const std::int64_t group = weight.shape[0];
    if (group < 1 || x.shape.back() % group != 0) {
      return bad_model("x must have a last dimension of a multiple of " + std::to_string(group));
    }
    const std::span<float> y = row_output(context, x.shape, x.shape.back());
    OrtExecutor executor(context, state_.config.num_threads);
    return kernels::rms_norm(
        {state_.config.isa, executor, state_.workspace}, x.data, weight.data, epsilon_, y);
  }

 private:
  RmsNormKernel(OpsState& state, float epsilon) : state_(state), epsilon_(epsilon) {}

  OpsState& state_;
  float epsilon_;
};

class LayerNormKernel : public KernelBase<LayerNormKernel> {
 public:
  static constexpr const char* kName = "LayerNorm";
  static constexpr InputSpec kInputs[] = {
      {element_type<float>()}, {element_type<float>()}, {element_type<float>(), true}};

  static Result<std::unique_ptr<LayerNormKernel>> create(Ort::ConstKernelInfo info,
                                                         OpsState& state) {
    QUIRE_ASSIGN(const float epsilon, optional_float(info, "epsilon", 1e-5F));
    if (!(epsilon >= 0.0F)) return bad_model("epsilon must not be negative");
    const bool has_bias = !input_name(info, 2).empty();
    return std::unique_ptr<LayerNormKernel>(new LayerNormKernel(state, epsilon, has_bias));
  }

  Status run(Ort::KernelContext& context) {
    QUIRE_ASSIGN(const TensorView<float> weight, tensor<float>(context.GetInput(1), 1, "weight"));
    std::span<const float> bias;
    if (has_bias_) {
      QUIRE_ASSIGN(const TensorView<float> given, tensor<float>(context.GetInput(2), 1, "bias"));
      bias = given.data;
      if (bias.empty()) return bad_model("bias is empty");
    }
    QUIRE_ASSIGN(const TensorView<float> x, row_input(context, weight.shape[0]));
    const std::span<float> y = row_output(context, x.shape, weight.shape[0]);
    OrtExecutor executor(context, state_.config.num_threads);
    return kernels::layer_norm(
        {state_.config.isa, executor, state_.workspace}, x.data, weight.data, bias, epsilon_, y);
  }

 private:
  LayerNormKernel(OpsState& state, float epsilon, bool has_bias)
      : state_(state), epsilon_(epsilon), has_bias_(has_bias) {}

  OpsState& state_;
  float epsilon_;
  bool has_bias_;
};

Result<kernels::ActivationKind> activation_kind(Ort::ConstKernelInfo info) {
  QUIRE_ASSIGN(const std::string name, required_string(info, "kind"));
  if (const auto kind = kernels::activation_kind(name)) return *kind;
  return bad_model("kind \"" + name.substr(0, 64) +
                   "\" is none of silu, gelu, gelu_tanh, relu, relu2, sigmoid, tanh");
}

// The common part of the elementwise operators; Op names one and reads its parameters.
template <typename Op>
class ActivationKernelBase : public KernelBase<ActivationKernelBase<Op>> {
 public:
  static constexpr const char* kName = Op::kName;
  static constexpr InputSpec kInputs[] = {{element_type<float>()}};

  static Result<std::unique_ptr<ActivationKernelBase>> create(Ort::ConstKernelInfo info,
                                                              OpsState& state) {
    QUIRE_ASSIGN(const kernels::ActivationParams params, Op::read(info));
    return std::unique_ptr<ActivationKernelBase>(new ActivationKernelBase(state, params));
  }

  Status run(Ort::KernelContext& context) {
    QUIRE_ASSIGN(const TensorView<float> x, row_input(context, 0));
    const std::int64_t parts = params_.gated ? 2 : 1;
    const std::int64_t width = x.shape.back() / parts;
    if (width < 1 || x.shape.back() % parts != 0) {
      return bad_model(params_.gated
                           ? "x must have an even last dimension: gate and up side by side"
                           : "x must have a last dimension of at least 1");
    }
    const std::span<float> y = row_output(context, x.shape, width);
    OrtExecutor executor(context, state_.config.num_threads);
    return kernels::activate(
        {state_.config.isa, executor, state_.workspace}, params_, x.data, width, y);
  }

 private:
  ActivationKernelBase(OpsState& state, const kernels::ActivationParams& params)
      : state_(state), params_(params) {}

  OpsState& state_;
  kernels::ActivationParams params_;
};

struct SwiGluOp {
  static constexpr const char* kName = "SwiGLU";
  static Result<kernels::ActivationParams> read(Ort::ConstKernelInfo) {
    return kernels::ActivationParams{.kind = kernels::ActivationKind::kSilu, .gated = true};
  }
};

struct ActivationOp {
  static constexpr const char* kName = "Activation";
  static Result<kernels::ActivationParams> read(Ort::ConstKernelInfo info) {
    QUIRE_ASSIGN(const kernels::ActivationKind kind, activation_kind(info));
    return kernels::ActivationParams{.kind = kind};
  }
};

struct GatedActivationOp {
  static constexpr const char* kName = "GatedActivation";
  static Result<kernels::ActivationParams> read(Ort::ConstKernelInfo info) {
    QUIRE_ASSIGN(const kernels::ActivationKind kind, activation_kind(info));
    return kernels::ActivationParams{.kind = kind, .gated = true};
  }
};

struct SoftCapOp {
  static constexpr const char* kName = "SoftCap";
  static Result<kernels::ActivationParams> read(Ort::ConstKernelInfo info) {
    QUIRE_ASSIGN(const float cap, optional_float(info, "cap", 0.0F));
    if (!(cap > 0.0F && std::isfinite(cap))) return bad_model("cap must be a positive number");
    return kernels::ActivationParams{.kind = kernels::ActivationKind::kSoftCap, .cap = cap};
  }
};

}  // namespace

struct QuireOps::Impl {
  explicit Impl(const QuireOpsConfig& config) { state.config = config; }

  OpsState state;
  CustomOp<PagedAttentionKernel> attention{state};
  CustomOp<LinearKernel> linear{state};
  CustomOp<EmbeddingKernel> embedding{state};
  CustomOp<RmsNormKernel> rms_norm{state};
  CustomOp<LayerNormKernel> layer_norm{state};
  CustomOp<ActivationKernelBase<SwiGluOp>> swiglu{state};
  CustomOp<ActivationKernelBase<ActivationOp>> activation{state};
  CustomOp<ActivationKernelBase<GatedActivationOp>> gated_activation{state};
  CustomOp<ActivationKernelBase<SoftCapOp>> soft_cap{state};
  Ort::CustomOpDomain domain{"quire"};
};

QuireOps::QuireOps(const QuireOpsConfig& config) : impl_(std::make_unique<Impl>(config)) {}

QuireOps::~QuireOps() = default;

Status QuireOps::add_to(OrtSessionOptions* options) {
  try {
    for (const OrtCustomOp* op : std::initializer_list<const OrtCustomOp*>{&impl_->attention,
                                                                           &impl_->linear,
                                                                           &impl_->embedding,
                                                                           &impl_->rms_norm,
                                                                           &impl_->layer_norm,
                                                                           &impl_->swiglu,
                                                                           &impl_->activation,
                                                                           &impl_->gated_activation,
                                                                           &impl_->soft_cap}) {
      impl_->domain.Add(op);
    }
    Ort::ThrowOnError(Ort::GetApi().AddCustomOpDomain(options, impl_->domain));
  } catch (const std::exception& e) {
    return internal_error("the operators could not be registered: " + std::string(e.what()));
  }
  return ok_status();
}

void QuireOps::set_cache_pools(std::unordered_map<std::string, CachePool> pools) {
  impl_->state.pools = std::move(pools);
}

std::int64_t QuireOps::weight_bytes() const { return impl_->state.weight_bytes; }

}  // namespace quire::onnx
