#pragma once

#include "kernels/linear.h"
#include "ops/operator.h"

namespace quire::ops {

// Places of the inputs of Linear and Embedding.
enum WeightInput : std::size_t { kRows, kWeight, kScale, kMin, kBias };

// The plain storage of the weights of a Linear or Embedding node, with all sizes checked. Refers to
// the node's constants. Fails with kBadModel.
Result<kernels::WeightView> constant_weights(const Node& node);

}  // namespace quire::ops
