#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/half.h"
#include "runner/graph/broadcast.h"
#include "runner/graph/graph_operator.h"

namespace quire::graph {
namespace {

using ops::ElementType;
using ops::Tensor;

// What gives its input another shape, or another name.
class Forwarding : public GraphOperator {
 public:
  bool forwards() const override { return true; }
  Status run(kernels::Executor&, std::span<const Tensor>, std::span<const Tensor>) override {
    return ok_status();
  }
};

class Identity final : public Forwarding {
 public:
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    outputs[0].type = inputs[0].type;
    outputs[0].shape = inputs[0].shape;
    return ok_status();
  }
};

Status set_reshaped(const Tensor& input, std::span<const std::int64_t> dims, Tensor* output) {
  const auto shape = ops::Shape::of(dims);
  if (!shape || shape->num_elements() != input.shape.num_elements()) {
    return bad_model("a tensor of shape " + input.shape.text() +
                     " cannot have the shape that is asked for");
  }
  output->type = input.type;
  output->shape = *shape;
  return ok_status();
}

class Reshape final : public Forwarding {
 public:
  explicit Reshape(bool allow_zero) : allow_zero_(allow_zero) {}

  bool needs_value(std::size_t input) const override { return input == 1; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    QUIRE_ASSIGN(Integers dims, integers_of(inputs[1], "the shape"));
    const ops::Shape& from = inputs[0].shape;
    std::int64_t known = 1;
    std::int64_t* open = nullptr;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (dims[i] == 0 && !allow_zero_) {
        if (i >= from.rank()) return bad_model("the shape keeps a dimension that there is none of");
        dims[i] = from[i];
      }
      if (dims[i] == -1 && open == nullptr) {
        open = &dims[i];
      } else if (dims[i] < 0 || __builtin_mul_overflow(known, dims[i], &known)) {
        return bad_model("the shape cannot be");
      }
    }
    if (open != nullptr) {
      if (known == 0) return bad_model("the shape leaves a dimension open that nothing decides");
      *open = static_cast<std::int64_t>(from.num_elements()) / known;
    }
    return set_reshaped(inputs[0], dims, &outputs[0]);
  }

 private:
  bool allow_zero_;
};

// Axes as positions of dimensions, each once, ascending.
Result<Integers> axes_of(const Tensor& tensor, std::size_t rank) {
  QUIRE_ASSIGN(Integers axes, integers_of(tensor, "the axes"));
  for (std::int64_t& axis : axes) {
    QUIRE_ASSIGN(const std::size_t place, checked_axis(axis, rank));
    axis = static_cast<std::int64_t>(place);
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) return bad_model("an axis stands twice");
  return axes;
}

Integers dims_of(const ops::Shape& shape) {
  Integers dims;
  for (const std::int64_t dim : shape.dims()) dims.push_back(dim);
  return dims;
}

class Unsqueeze final : public Forwarding {
 public:
  bool needs_value(std::size_t input) const override { return input == 1; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    const std::size_t added = inputs[1].shape.num_elements();
    QUIRE_ASSIGN(const auto axes, axes_of(inputs[1], inputs[0].shape.rank() + added));
    Integers dims = dims_of(inputs[0].shape);
    for (const std::int64_t axis : axes) {
      if (dims.is_full()) return bad_model("a tensor has too many dimensions");
      dims.insert(static_cast<std::size_t>(axis), 1);
    }
    return set_reshaped(inputs[0], dims, &outputs[0]);
  }
};

class Squeeze final : public Forwarding {
 public:
  bool needs_value(std::size_t input) const override { return input == 1; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    const ops::Shape& from = inputs[0].shape;
    const bool has_axes = inputs.size() > 1 && inputs[1].present;
    Integers axes;
    if (has_axes) {
      QUIRE_ASSIGN(axes, axes_of(inputs[1], from.rank()));
    }
    Integers dims;
    for (std::size_t i = 0; i < from.rank(); ++i) {
      const bool is_named = std::ranges::find(axes, static_cast<std::int64_t>(i)) != axes.end();
      if (is_named && from[i] != 1) {
        return bad_model("a dimension of more than one element cannot go");
      }
      if (!is_named && (has_axes || from[i] != 1)) dims.push_back(from[i]);
    }
    return set_reshaped(inputs[0], dims, &outputs[0]);
  }
};

// The dimensions [start, end) of its input.
class Shape final : public GraphOperator {
 public:
  Shape(std::int64_t start, std::int64_t end) : start_(start), end_(end) {}

  bool reads_shapes_only() const override { return true; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    outputs[0].type = ElementType::kInt64;
    outputs[0].shape = {static_cast<std::int64_t>(range(inputs[0].shape).size())};
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    std::ranges::copy(range(inputs[0].shape), writable<std::int64_t>(outputs[0]).begin());
    return ok_status();
  }

 private:
  std::span<const std::int64_t> range(const ops::Shape& shape) const {
    const auto rank = static_cast<std::int64_t>(shape.rank());
    const auto place = [rank](std::int64_t i) {
      return static_cast<std::size_t>(std::clamp<std::int64_t>(i < 0 ? i + rank : i, 0, rank));
    };
    const std::size_t begin = place(start_);
    const std::size_t end = std::max(place(end_), begin);
    return shape.dims().subspan(begin, end - begin);
  }

  std::int64_t start_;
  std::int64_t end_;
};

// A value that stands in the graph itself.
class Constant final : public GraphOperator {
 public:
  Constant(ElementType type, ops::Shape shape, std::vector<std::byte> data)
      : type_(type), shape_(shape), data_(std::move(data)) {}

  Status infer(std::span<const Tensor>, std::span<Tensor> outputs) const override {
    outputs[0].type = type_;
    outputs[0].shape = shape_;
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor>,
             std::span<const Tensor> outputs) override {
    std::ranges::copy(data_,
                      writable<std::byte>({.present = true,
                                           .type = ElementType::kUint8,
                                           .shape = {static_cast<std::int64_t>(data_.size())},
                                           .data = outputs[0].data})
                          .begin());
    return ok_status();
  }

 private:
  ElementType type_;
  ops::Shape shape_;
  std::vector<std::byte> data_;
};

template <typename T>
std::vector<std::byte> bytes_of(std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {bytes.begin(), bytes.end()};
}

Result<std::unique_ptr<GraphOperator>> make_constant(const onnx::OnnxNode& node) {
  if (node.attributes.size() != 1) return bad_model("a constant must have one value");
  const auto& value = node.attributes[0].value;
  const auto make = [](ElementType type, const ops::Shape& shape, std::vector<std::byte> data) {
    return std::unique_ptr<GraphOperator>(new Constant(type, shape, std::move(data)));
  };
  if (const auto* tensor = std::get_if<onnx::OnnxTensor>(&value)) {
    QUIRE_ASSIGN(const ElementType type, element_type(tensor->data_type));
    const auto shape = ops::Shape::of(tensor->dims);
    if (!shape || !tensor->location.empty()) return bad_model("a constant must lie in the graph");
    return make(type, *shape, tensor->data);
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return make(ElementType::kInt64, {}, bytes_of(std::span(integer, 1)));
  }
  if (const auto* number = std::get_if<float>(&value)) {
    return make(ElementType::kFloat32, {}, bytes_of(std::span(number, 1)));
  }
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
    return make(ElementType::kInt64,
                {static_cast<std::int64_t>(integers->size())},
                bytes_of(std::span<const std::int64_t>(*integers)));
  }
  if (const auto* numbers = std::get_if<std::vector<float>>(&value)) {
    return make(ElementType::kFloat32,
                {static_cast<std::int64_t>(numbers->size())},
                bytes_of(std::span<const float>(*numbers)));
  }
  return bad_model("a constant must be numbers");
}

// Numbers of one type as those of another. 16-bit floats are read, and not made.
class Cast final : public GraphOperator {
 public:
  explicit Cast(ElementType to) : to_(to) {}

  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    if (to_ == ElementType::kFloat16 || to_ == ElementType::kBfloat16 ||
        to_ == ElementType::kInt8 || to_ == ElementType::kUint8) {
      return bad_model("a cast to " + std::string(ops::element_name(to_)) + " is not supported");
    }
    outputs[0].type = to_;
    outputs[0].shape = inputs[0].shape;
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    switch (inputs[0].type) {
      case ElementType::kFloat32:
        return from<float>(inputs[0], outputs[0], [](float x) { return x; });
      case ElementType::kFloat16:
        return from<std::uint16_t>(inputs[0], outputs[0], &kernels::half_to_float);
      case ElementType::kBfloat16:
        return from<std::uint16_t>(inputs[0], outputs[0], &kernels::bfloat16_to_float);
      case ElementType::kInt8:
        return from<std::int8_t>(inputs[0], outputs[0], [](std::int8_t x) { return x; });
      case ElementType::kUint8:
        return from<std::uint8_t>(inputs[0], outputs[0], [](std::uint8_t x) { return x; });
      case ElementType::kInt32:
        return from<std::int32_t>(inputs[0], outputs[0], [](std::int32_t x) { return x; });
      case ElementType::kInt64:
        return from<std::int64_t>(inputs[0], outputs[0], [](std::int64_t x) { return x; });
      case ElementType::kBool:
        break;
    }
    return from<bool>(inputs[0], outputs[0], [](bool x) { return x ? 1 : 0; });
  }

 private:
  template <typename T, typename Read>
  static Status from(const Tensor& input, const Tensor& output, const Read& read) {
    const auto values = input.elements<T>();
    const auto fill = [&]<typename R>(std::span<R> to) {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = convert<R>(read(values[i]));
    };
    switch (output.type) {
      case ElementType::kFloat32:
        fill(writable<float>(output));
        break;
      case ElementType::kInt32:
        fill(writable<std::int32_t>(output));
        break;
      case ElementType::kInt64:
        fill(writable<std::int64_t>(output));
        break;
      default:
        fill(writable<bool>(output));
        break;
    }
    return ok_status();
  }

  // A number that the other type cannot hold becomes its nearest end, and NaN zero: defined where
  // C++ leaves it open.
  template <typename R, typename T>
  static R convert(T x) {
    if constexpr (std::is_same_v<R, bool>) {
      return x != T{0};
    } else if constexpr (std::is_floating_point_v<T> && std::is_integral_v<R>) {
      constexpr T kEnd = static_cast<T>(std::numeric_limits<R>::max());
      if (x != x) return 0;
      if (x >= kEnd) return std::numeric_limits<R>::max();
      if (x <= -kEnd) return std::numeric_limits<R>::min();
      return static_cast<R>(x);
    } else {
      return static_cast<R>(x);
    }
  }

  ElementType to_;
};

template <typename F>
Result<std::unique_ptr<GraphOperator>> with_inputs(const onnx::OnnxNode& node,
                                                   std::size_t least,
                                                   std::size_t most) {
  if (node.inputs.size() < least || node.inputs.size() > most) {
    return bad_model("it has " + std::to_string(node.inputs.size()) + " inputs");
  }
  return std::unique_ptr<GraphOperator>(new F);
}

Result<std::unique_ptr<GraphOperator>> make_shape(const onnx::OnnxNode& node) {
  constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
  if (node.inputs.size() != 1) return bad_model("it takes one input");
  QUIRE_ASSIGN(const std::int64_t start, integer_attribute(node, "start", 0));
  QUIRE_ASSIGN(const std::int64_t end, integer_attribute(node, "end", kEnd));
  return std::unique_ptr<GraphOperator>(new Shape(start, end));
}

Result<std::unique_ptr<GraphOperator>> make_cast(const onnx::OnnxNode& node) {
  if (node.inputs.size() != 1) return bad_model("it takes one input");
  QUIRE_ASSIGN(const std::int64_t to, integer_attribute(node, "to", 0));
  QUIRE_ASSIGN(const ElementType type,
               element_type(to >= 0 && to <= 255 ? static_cast<int>(to) : 0));
  return std::unique_ptr<GraphOperator>(new Cast(type));
}

}  // namespace

Result<std::unique_ptr<GraphOperator>> make_shape_operator(const onnx::OnnxNode& node) {
  if (node.op_type == "Identity") return with_inputs<Identity>(node, 1, 1);
  if (node.op_type == "Unsqueeze") return with_inputs<Unsqueeze>(node, 2, 2);
  if (node.op_type == "Squeeze") return with_inputs<Squeeze>(node, 1, 2);
  if (node.op_type == "Shape") return make_shape(node);
  if (node.op_type == "Cast") return make_cast(node);
  if (node.op_type == "Constant") return make_constant(node);
  if (node.op_type != "Reshape") return std::unique_ptr<GraphOperator>();
  if (node.inputs.size() != 2) return bad_model("it takes two inputs");
  QUIRE_ASSIGN(const std::int64_t allow_zero, integer_attribute(node, "allowzero", 0));
  return std::unique_ptr<GraphOperator>(new Reshape(allow_zero != 0));
}

}  // namespace quire::graph
