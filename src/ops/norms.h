#pragma once

#include <memory>

#include "ops/operator.h"

namespace quire::ops {

// quire::RMSNorm: each group of weight.size() elements of a row over its root mean square.
class RmsNorm final : public Operator {
 public:
  enum Input : std::size_t { kX, kWeight };

  static Result<std::unique_ptr<Operator>> make(const Node& node, Environment* environment);

  Result<Shape> output_shape(std::span<const Tensor> inputs) const override;
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<float> output) override;

  float epsilon() const { return epsilon_; }

 private:
  RmsNorm(Environment* environment, float epsilon) : environment_(environment), epsilon_(epsilon) {}

  Environment* environment_;
  float epsilon_;
};

// quire::LayerNorm.
class LayerNorm final : public Operator {
 public:
  enum Input : std::size_t { kX, kWeight, kBias };

  static Result<std::unique_ptr<Operator>> make(const Node& node, Environment* environment);

  Result<Shape> output_shape(std::span<const Tensor> inputs) const override;
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<float> output) override;

 private:
  LayerNorm(Environment* environment, float epsilon)
      : environment_(environment), epsilon_(epsilon) {}

  Environment* environment_;
  float epsilon_;
};

}  // namespace quire::ops
