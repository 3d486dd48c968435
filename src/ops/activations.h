#pragma once

#include <memory>

#include "kernels/elementwise.h"
#include "ops/operator.h"

namespace quire::ops {

// quire::Activation, GatedActivation, SwiGLU and SoftCap: a function of each element, or of pairs
// of them that lie side by side in [gate, up].
class Activation final : public Operator {
 public:
  static Result<std::unique_ptr<Operator>> make_plain(const Node& node, Environment* environment);
  static Result<std::unique_ptr<Operator>> make_gated(const Node& node, Environment* environment);
  static Result<std::unique_ptr<Operator>> make_swiglu(const Node& node, Environment* environment);
  static Result<std::unique_ptr<Operator>> make_soft_cap(const Node& node,
                                                         Environment* environment);

  Result<Shape> output_shape(std::span<const Tensor> inputs) const override;
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<float> output) override;

  const kernels::ActivationParams& params() const { return params_; }

 private:
  Activation(Environment* environment, const kernels::ActivationParams& params)
      : environment_(environment), params_(params) {}
  static std::unique_ptr<Operator> of(Environment* environment,
                                      const kernels::ActivationParams& params);

  Environment* environment_;
  kernels::ActivationParams params_;
};

}  // namespace quire::ops
