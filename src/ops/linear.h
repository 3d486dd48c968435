#pragma once

#include <memory>

#include "kernels/linear.h"
#include "ops/operator.h"

namespace quire::ops {

// quire::Linear. Packs its weights when it is made and never looks at the constants again.
class Linear final : public Operator {
 public:
  static Result<std::unique_ptr<Operator>> make(const Node& node, Environment* environment);
  ~Linear() override;

  Result<Shape> output_shape(std::span<const Tensor> inputs) const override;
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<float> output) override;

  const kernels::PackedLinear& weights() const { return weights_; }
  kernels::ActivationBits activation_bits() const { return activation_bits_; }

 private:
  Linear(Environment* environment, kernels::PackedLinear weights, kernels::ActivationBits bits);

  Environment* environment_;
  kernels::PackedLinear weights_;
  kernels::ActivationBits activation_bits_;
};

// How many bytes of WeightMemory the weights of a Linear node take. Fails as making it does.
Result<std::size_t> linear_weight_bytes(const Node& node);

}  // namespace quire::ops
