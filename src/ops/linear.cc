#include "ops/linear.h"

#include <string>
#include <utility>

#include "ops/row_operator.h"
#include "ops/weights.h"

namespace quire::ops {
namespace {

Result<kernels::ActivationBits> read_activation_bits(const Node& node) {
  QUIRE_ASSIGN(const std::int64_t bits, node.attributes.optional_int("activation_bits", 8));
  if (bits == 8) return kernels::ActivationBits::k8;
  if (bits == 16) return kernels::ActivationBits::k16;
  return bad_model("activation_bits must be 8 or 16, not " + std::to_string(bits));
}

Result<std::span<const float>> constant_bias(const Node& node) {
  const NodeInput& input = node.input(kBias);
  if (!input.present) return std::span<const float>();
  if (!input.constant.present) {
    return bad_model("input " + (input.name.empty() ? std::string("bias") : input.name) +
                     " must be an initializer of the graph");
  }
  QUIRE_TRY(check_tensor(input.constant, ElementType::kFloat32, 1, "bias"));
  const auto bias = input.constant.elements<float>();
  if (bias.empty()) return bad_model("bias is empty");
  return bias;
}

}  // namespace

Result<std::unique_ptr<Operator>> Linear::make(const Node& node, Environment* environment) {
  QUIRE_ASSIGN(const kernels::WeightView weights, constant_weights(node));
  QUIRE_ASSIGN(const std::span<const float> bias, constant_bias(node));
  QUIRE_ASSIGN(const kernels::ActivationBits own_bits, read_activation_bits(node));
  const kernels::ActivationBits bits = environment->activation_bits.value_or(own_bits);
  kernels::PackOptions options{.executor = environment->packer,
                               .done_with = environment->weight_memory.done_with};
  if (environment->weight_memory.take) {
    QUIRE_ASSIGN(const std::size_t bytes, kernels::PackedLinear::packed_bytes(weights));
    options.memory = environment->weight_memory.take(bytes);
  }
  QUIRE_ASSIGN(kernels::PackedLinear packed, kernels::PackedLinear::pack(weights, bias, options));
  return std::unique_ptr<Operator>(new Linear(environment, std::move(packed), bits));
}

Linear::Linear(Environment* environment,
               kernels::PackedLinear weights,
               kernels::ActivationBits bits)
    : environment_(environment), weights_(std::move(weights)), activation_bits_(bits) {
  environment_->weight_bytes += static_cast<std::int64_t>(weights_.memory_bytes());
}

Linear::~Linear() {
  environment_->weight_bytes -= static_cast<std::int64_t>(weights_.memory_bytes());
}

Result<Shape> Linear::output_shape(std::span<const Tensor> inputs) const {
  QUIRE_TRY(check_rows(inputs[kRows], weights_.k()));
  return inputs[kRows].shape.with_back(weights_.n());
}

Status Linear::run(kernels::Executor& executor,
                   std::span<const Tensor> inputs,
                   std::span<float> output) {
  return kernels::linear({environment_->isa, executor, environment_->workspace},
                         weights_,
                         activation_bits_,
                         inputs[kRows].elements<float>(),
                         output);
}

Result<std::size_t> linear_weight_bytes(const Node& node) {
  QUIRE_ASSIGN(const kernels::WeightView weights, constant_weights(node));
  return kernels::PackedLinear::packed_bytes(weights);
}

}  // namespace quire::ops
