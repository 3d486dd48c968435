#include "ops/embedding.h"

#include "kernels/elementwise.h"
#include "ops/weights.h"

namespace quire::ops {

Result<std::unique_ptr<Operator>> Embedding::make(const Node& node, Environment*) {
  QUIRE_ASSIGN(const kernels::WeightView table, constant_weights(node));
  return std::unique_ptr<Operator>(new Embedding(table));
}

Result<Shape> Embedding::output_shape(std::span<const Tensor> inputs) const {
  QUIRE_TRY(check_tensor(inputs[kRows], ElementType::kInt64, -1, "ids"));
  if (inputs[kRows].shape.rank() == Shape::kMaxRank)
    return bad_model("ids has too many dimensions");
  return inputs[kRows].shape.with_added(table_.k);
}

Status Embedding::run(kernels::Executor&, std::span<const Tensor> inputs, std::span<float> output) {
  const auto ids = inputs[kRows].elements<std::int64_t>();
  if (packed_ != nullptr) return kernels::embedding(*packed_, ids, output);
  return kernels::embedding(table_, ids, output);
}

}  // namespace quire::ops
