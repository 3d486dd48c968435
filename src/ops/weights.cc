#include "ops/weights.h"

#include <string>

namespace quire::ops {
namespace {

using kernels::WeightType;

struct WeightFormat {
  WeightType type;
  ElementType element;
  int rank;
};

Result<WeightFormat> weight_format(std::int64_t bits, ElementType element) {
  if (bits == 4) return WeightFormat{WeightType::kInt4, ElementType::kUint8, 3};
  if (bits == 8) return WeightFormat{WeightType::kInt8, ElementType::kInt8, 3};
  if (bits == 32) return WeightFormat{WeightType::kFloat32, ElementType::kFloat32, 2};
  if (bits != 16) return bad_model("bits must be 4, 8, 16 or 32, not " + std::to_string(bits));
  if (element == ElementType::kFloat16) return WeightFormat{WeightType::kFloat16, element, 2};
  return WeightFormat{WeightType::kBfloat16, ElementType::kBfloat16, 2};
}

std::string name_of(const NodeInput& input, const char* role) {
  return input.name.empty() ? std::string(role) : input.name;
}

// The optional float16 tensor [N, blocks] at `index`.
Result<std::span<const std::uint16_t>> block_values(const Node& node,
                                                    std::size_t index,
                                                    const char* role) {
  const NodeInput& input = node.input(index);
  if (!input.present) return std::span<const std::uint16_t>();
  if (!input.constant.present) {
    return bad_model("input " + name_of(input, role) + " must be an initializer of the graph");
  }
  QUIRE_TRY(check_tensor(input.constant, ElementType::kFloat16, 2, name_of(input, role)));
  return input.constant.elements<std::uint16_t>();
}

}  // namespace

Result<kernels::WeightView> constant_weights(const Node& node) {
  QUIRE_ASSIGN(const std::int64_t bits, node.attributes.required_int("bits"));
  QUIRE_ASSIGN(const std::int64_t block,
               node.attributes.optional_int("block_size", kernels::kQuantBlock));
  if (bits <= 8 && block != kernels::kQuantBlock) {
    return bad_model("block_size must be 32, not " + std::to_string(block));
  }
  kernels::WeightView weights;
  QUIRE_ASSIGN(weights.k, node.attributes.required_int("K"));
  QUIRE_ASSIGN(weights.n, node.attributes.required_int("N"));
  const NodeInput& input = node.input(kWeight);
  const std::string name = name_of(input, "weight");
  if (!input.present) return bad_model("the weight is missing");
  if (!input.constant.present) {
    return bad_model("input " + name + " must be an initializer of the graph");
  }
  const Tensor& tensor = input.constant;
  QUIRE_ASSIGN(const WeightFormat format, weight_format(bits, tensor.type));
  weights.type = format.type;
  QUIRE_TRY(check_tensor(tensor, format.element, format.rank, name));
  weights.weight = tensor.bytes();
  QUIRE_ASSIGN(weights.scale, block_values(node, kScale, "scale"));
  QUIRE_ASSIGN(weights.min, block_values(node, kMin, "min"));
  QUIRE_TRY(kernels::check_weights(weights).with_context(name));
  if (tensor.shape[0] != weights.n) {
    return bad_model(name + " has shape " + tensor.shape.text() +
                     " whose first dimension is not N = " + std::to_string(weights.n));
  }
  return weights;
}

}  // namespace quire::ops
