#include "ops/norms.h"

#include <string>

#include "kernels/elementwise.h"
#include "ops/row_operator.h"

namespace quire::ops {
namespace {

Result<float> read_epsilon(const Node& node) {
  QUIRE_ASSIGN(const float epsilon, node.attributes.optional_float("epsilon", 1e-5F));
  if (!(epsilon >= 0.0F)) return bad_model("epsilon must not be negative");
  return epsilon;
}

}  // namespace

Result<std::unique_ptr<Operator>> RmsNorm::make(const Node& node, Environment* environment) {
  QUIRE_ASSIGN(const float epsilon, read_epsilon(node));
  return std::unique_ptr<Operator>(new RmsNorm(environment, epsilon));
}

Result<Shape> RmsNorm::output_shape(std::span<const Tensor> inputs) const {
  QUIRE_TRY(check_tensor(inputs[kWeight], ElementType::kFloat32, 1, "weight"));
  QUIRE_TRY(check_rows(inputs[kX], 0));
  const std::int64_t group = inputs[kWeight].shape[0];
  if (group < 1 || inputs[kX].shape.back() % group != 0) {
    return bad_model("x must have a last dimension of a multiple of " + std::to_string(group));
  }
  return inputs[kX].shape;
}

Status RmsNorm::run(kernels::Executor& executor,
                    std::span<const Tensor> inputs,
                    std::span<float> output) {
  return kernels::rms_norm({environment_->isa, executor, environment_->workspace},
                           inputs[kX].elements<float>(),
                           inputs[kWeight].elements<float>(),
                           epsilon_,
                           output);
}

Result<std::unique_ptr<Operator>> LayerNorm::make(const Node& node, Environment* environment) {
  QUIRE_ASSIGN(const float epsilon, read_epsilon(node));
  return std::unique_ptr<Operator>(new LayerNorm(environment, epsilon));
}

Result<Shape> LayerNorm::output_shape(std::span<const Tensor> inputs) const {
  QUIRE_TRY(check_tensor(inputs[kWeight], ElementType::kFloat32, 1, "weight"));
  const std::int64_t width = inputs[kWeight].shape[0];
  if (width < 1) return bad_model("weight is empty");
  if (inputs[kBias].present) {
    QUIRE_TRY(check_tensor(inputs[kBias], ElementType::kFloat32, 1, "bias"));
    if (inputs[kBias].shape[0] == 0) return bad_model("bias is empty");
    if (inputs[kBias].shape[0] != width) return bad_model("weight and bias must have one length");
  }
  QUIRE_TRY(check_rows(inputs[kX], width));
  return inputs[kX].shape;
}

Status LayerNorm::run(kernels::Executor& executor,
                      std::span<const Tensor> inputs,
                      std::span<float> output) {
  const auto bias =
      inputs[kBias].present ? inputs[kBias].elements<float>() : std::span<const float>();
  return kernels::layer_norm({environment_->isa, executor, environment_->workspace},
                             inputs[kX].elements<float>(),
                             inputs[kWeight].elements<float>(),
                             bias,
                             epsilon_,
                             output);
}

}  // namespace quire::ops
