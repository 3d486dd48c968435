#pragma once

#include <memory>

#include "kernels/linear.h"
#include "ops/operator.h"

namespace quire::ops {

// quire::Embedding. Reads the constant it was made from in place, or, where a Linear of the same
// graph has packed the very same matrix, that one's weights.
class Embedding final : public Operator {
 public:
  static Result<std::unique_ptr<Operator>> make(const Node& node, Environment* environment);

  Result<Shape> output_shape(std::span<const Tensor> inputs) const override;
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<float> output) override;

  const kernels::WeightView& table() const { return table_; }
  // From now on reads from other memory: an equal table, or the same matrix packed, which must
  // outlive this.
  void read_from(const kernels::WeightView& table) { table_ = table; }
  void read_from(const kernels::PackedLinear* packed) { packed_ = packed; }

 private:
  explicit Embedding(const kernels::WeightView& table) : table_(table) {}

  kernels::WeightView table_;
  const kernels::PackedLinear* packed_ = nullptr;
};

}  // namespace quire::ops
