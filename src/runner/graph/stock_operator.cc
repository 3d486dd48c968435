#include <algorithm>
#include <string>

#include "runner/graph/graph_operator.h"

namespace quire::graph {

Result<std::unique_ptr<GraphOperator>> make_stock_operator(const onnx::OnnxNode& node) {
  for (auto* make : {&make_elementwise, &make_shape_operator, &make_move}) {
    QUIRE_ASSIGN(auto made, make(node));
    if (made != nullptr) return made;
  }
  return bad_model("the operator " + node.op_type.substr(0, 64) +
                   " is none that a paged graph may hold");
}

Result<std::int64_t> integer_attribute(const onnx::OnnxNode& node,
                                       std::string_view name,
                                       std::int64_t otherwise) {
  for (const onnx::OnnxAttribute& attribute : node.attributes) {
    if (attribute.name != name) continue;
    if (const auto* value = std::get_if<std::int64_t>(&attribute.value)) return *value;
    return bad_model("attribute " + std::string(name) + " must be an integer");
  }
  return otherwise;
}

Result<ops::ElementType> element_type(int onnx_type) {
  using onnx::DataType;
  using ops::ElementType;
  switch (static_cast<DataType>(onnx_type)) {
    case DataType::kFloat:
      return ElementType::kFloat32;
    case DataType::kUint8:
      return ElementType::kUint8;
    case DataType::kInt8:
      return ElementType::kInt8;
    case DataType::kInt32:
      return ElementType::kInt32;
    case DataType::kInt64:
      return ElementType::kInt64;
    case DataType::kBool:
      return ElementType::kBool;
    case DataType::kFloat16:
      return ElementType::kFloat16;
    case DataType::kBfloat16:
      return ElementType::kBfloat16;
    case DataType::kUndefined:
      break;
  }
  return bad_model("element type " + std::to_string(onnx_type) +
                   " of ONNX is none that an operator takes");
}

void Integers::insert(std::size_t place, std::int64_t value) {
  std::copy_backward(begin() + place, end(), end() + 1);
  values_[place] = value;
  ++size_;
}

Result<Integers> integers_of(const ops::Tensor& tensor, std::string_view name) {
  const bool is_wide = tensor.present && tensor.type == ops::ElementType::kInt64;
  if (!is_wide && !(tensor.present && tensor.type == ops::ElementType::kInt32)) {
    return bad_model(std::string(name) + " must be integers");
  }
  const std::size_t count = tensor.shape.num_elements();
  if (count > Integers::kMost) return bad_model(std::string(name) + " are too many");
  Integers integers;
  for (std::size_t i = 0; i < count; ++i) {
    integers.push_back(is_wide ? tensor.elements<std::int64_t>()[i]
                               : std::int64_t{tensor.elements<std::int32_t>()[i]});
  }
  return integers;
}

Result<std::size_t> checked_axis(std::int64_t axis, std::size_t rank) {
  const auto size = static_cast<std::int64_t>(rank);
  if (axis >= -size && axis < size) return static_cast<std::size_t>(axis < 0 ? axis + size : axis);
  return bad_model("axis " + std::to_string(axis) + " is none of " + std::to_string(rank) +
                   " dimensions");
}

}  // namespace quire::graph
