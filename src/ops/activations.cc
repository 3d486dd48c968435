#include "ops/activations.h"

#include <cmath>
#include <string>

#include "ops/row_operator.h"

namespace quire::ops {
namespace {

Result<kernels::ActivationKind> read_kind(const Node& node) {
  QUIRE_ASSIGN(const std::string name, node.attributes.required_string("kind"));
  if (const auto kind = kernels::activation_kind(name)) return *kind;
  return bad_model("kind \"" + name.substr(0, 64) +
                   "\" is none of silu, gelu, gelu_tanh, relu, relu2, sigmoid, tanh");
}

}  // namespace

std::unique_ptr<Operator> Activation::of(Environment* environment,
                                         const kernels::ActivationParams& params) {
  return std::unique_ptr<Operator>(new Activation(environment, params));
}

Result<std::unique_ptr<Operator>> Activation::make_plain(const Node& node,
                                                         Environment* environment) {
  QUIRE_ASSIGN(const kernels::ActivationKind kind, read_kind(node));
  return of(environment, {.kind = kind});
}

Result<std::unique_ptr<Operator>> Activation::make_gated(const Node& node,
                                                         Environment* environment) {
  QUIRE_ASSIGN(const kernels::ActivationKind kind, read_kind(node));
  return of(environment, {.kind = kind, .gated = true});
}

Result<std::unique_ptr<Operator>> Activation::make_swiglu(const Node&, Environment* environment) {
  return of(environment, {.kind = kernels::ActivationKind::kSilu, .gated = true});
}

Result<std::unique_ptr<Operator>> Activation::make_soft_cap(const Node& node,
                                                            Environment* environment) {
  QUIRE_ASSIGN(const float cap, node.attributes.optional_float("cap", 0.0F));
  if (!(cap > 0.0F && std::isfinite(cap))) return bad_model("cap must be a positive number");
  return of(environment, {.kind = kernels::ActivationKind::kSoftCap, .cap = cap});
}

Result<Shape> Activation::output_shape(std::span<const Tensor> inputs) const {
  QUIRE_TRY(check_rows(inputs[0], 0));
  const std::int64_t width = inputs[0].shape.back();
  if (!params_.gated) return inputs[0].shape;
  if (width % 2 != 0) {
    return bad_model("x must have an even last dimension: gate and up side by side");
  }
  return inputs[0].shape.with_back(width / 2);
}

Status Activation::run(kernels::Executor& executor,
                       std::span<const Tensor> inputs,
                       std::span<float> output) {
  const std::int64_t width = inputs[0].shape.back() / (params_.gated ? 2 : 1);
  return kernels::activate({environment_->isa, executor, environment_->workspace},
                           params_,
                           inputs[0].elements<float>(),
                           width,
                           output);
}

}  // namespace quire::ops
