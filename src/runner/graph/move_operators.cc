#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "runner/graph/broadcast.h"
#include "runner/graph/graph_operator.h"

namespace quire::graph {
namespace {

using ops::ElementType;
using ops::Tensor;

std::byte* bytes_to(const Tensor& tensor) {
  return static_cast<std::byte*>(const_cast<void*>(tensor.data));
}

// A tensor seen as [outer, axis, inner]; inner in bytes.
struct Split3 {
  std::size_t outer = 1;
  std::size_t axis = 1;
  std::size_t inner_bytes = 1;
};

Split3 split_at(const Tensor& tensor, std::size_t axis) {
  Split3 split;
  split.inner_bytes = ops::element_bytes(tensor.type);
  for (std::size_t i = 0; i < tensor.shape.rank(); ++i) {
    const auto dim = static_cast<std::size_t>(tensor.shape[i]);
    if (i < axis) split.outer *= dim;
    if (i == axis) split.axis = dim;
    if (i > axis) split.inner_bytes *= dim;
  }
  return split;
}

// The same dimensions but for one of them.
Result<ops::Shape> with_dim(const ops::Shape& shape, std::size_t axis, std::int64_t dim) {
  std::array<std::int64_t, ops::Shape::kMaxRank> dims = {};
  std::ranges::copy(shape.dims(), dims.begin());
  dims[axis] = dim;
  const auto made = ops::Shape::of(std::span(dims).first(shape.rank()));
  if (!made) return bad_model("a tensor of the graph is too large");
  return *made;
}

class Concat final : public GraphOperator {
 public:
  explicit Concat(std::int64_t axis) : axis_(axis) {}

  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    const ops::Shape& first = inputs[0].shape;
    QUIRE_ASSIGN(const std::size_t axis, checked_axis(axis_, first.rank()));
    std::int64_t total = 0;
    for (const Tensor& input : inputs) {
      if (!input.present || input.type != inputs[0].type || input.shape.rank() != first.rank()) {
        return bad_model("what is put together must be of one type and rank");
      }
      for (std::size_t i = 0; i < first.rank(); ++i) {
        if (i != axis && input.shape[i] != first[i]) {
          return bad_model("shapes " + first.text() + " and " + input.shape.text() +
                           " do not go together");
        }
      }
      if (__builtin_add_overflow(total, input.shape[axis], &total)) {
        return bad_model("a tensor of the graph is too large");
      }
    }
    outputs[0].type = inputs[0].type;
    QUIRE_ASSIGN(outputs[0].shape, with_dim(first, axis, total));
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    QUIRE_ASSIGN(const std::size_t axis, checked_axis(axis_, inputs[0].shape.rank()));
    const Split3 to = split_at(outputs[0], axis);
    std::size_t offset = 0;
    for (const Tensor& input : inputs) {
      const Split3 from = split_at(input, axis);
      const std::size_t bytes = from.axis * from.inner_bytes;
      const auto* source = static_cast<const std::byte*>(input.data);
      for (std::size_t i = 0; i < from.outer && bytes > 0; ++i) {
        std::memcpy(bytes_to(outputs[0]) + i * to.axis * to.inner_bytes + offset,
                    source + i * bytes,
                    bytes);
      }
      offset += bytes;
    }
    return ok_status();
  }

 private:
  std::int64_t axis_;
};

// Parts side by side along an axis: as the second input says, or equal ones.
class Split final : public GraphOperator {
 public:
  explicit Split(std::int64_t axis) : axis_(axis) {}

  bool needs_value(std::size_t input) const override { return input == 1; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    QUIRE_ASSIGN(const std::size_t axis, checked_axis(axis_, inputs[0].shape.rank()));
    const std::int64_t dim = inputs[0].shape[axis];
    const auto count = static_cast<std::int64_t>(outputs.size());
    Integers parts;
    if (outputs.size() > Integers::kMost) return bad_model("the parts are too many");
    if (inputs.size() > 1 && inputs[1].present) {
      QUIRE_ASSIGN(parts, integers_of(inputs[1], "the parts"));
    } else {
      const std::int64_t each = (dim + count - 1) / count;
      for (std::int64_t i = 0; i < count; ++i) {
        parts.push_back(std::clamp<std::int64_t>(dim - i * each, 0, each));
      }
    }
    std::int64_t total = 0;
    for (const std::int64_t part : parts) {
      if (part < 0 || __builtin_add_overflow(total, part, &total))
        return bad_model("a part is bad");
    }
    if (parts.size() != outputs.size() || total != dim) {
      return bad_model("the parts do not make up the dimension they cut");
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i].type = inputs[0].type;
      QUIRE_ASSIGN(outputs[i].shape, with_dim(inputs[0].shape, axis, parts[i]));
    }
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    QUIRE_ASSIGN(const std::size_t axis, checked_axis(axis_, inputs[0].shape.rank()));
    const Split3 from = split_at(inputs[0], axis);
    const auto* source = static_cast<const std::byte*>(inputs[0].data);
    std::size_t offset = 0;
    for (const Tensor& output : outputs) {
      const std::size_t bytes = static_cast<std::size_t>(output.shape[axis]) * from.inner_bytes;
      for (std::size_t i = 0; i < from.outer && bytes > 0; ++i) {
        std::memcpy(bytes_to(output) + i * bytes,
                    source + i * from.axis * from.inner_bytes + offset,
                    bytes);
      }
      offset += bytes;
    }
    return ok_status();
  }

 private:
  std::int64_t axis_;
};

// Inputs: data, starts, ends, axes, steps; the last two may be left out.
class Slice final : public GraphOperator {
 public:
  bool needs_value(std::size_t input) const override { return input >= 1; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    QUIRE_ASSIGN(const auto cuts, cuts_of(inputs));
    std::array<std::int64_t, ops::Shape::kMaxRank> dims = {};
    for (std::size_t i = 0; i < inputs[0].shape.rank(); ++i) dims[i] = cuts[i].count;
    outputs[0].type = inputs[0].type;
    outputs[0].shape = *ops::Shape::of(std::span(dims).first(inputs[0].shape.rank()));
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    QUIRE_ASSIGN(const auto cuts, cuts_of(inputs));
    std::byte* to = bytes_to(outputs[0]);
    copy(inputs[0], cuts, 0, static_cast<const std::byte*>(inputs[0].data), &to);
    return ok_status();
  }

 private:
  struct Cut {
    std::int64_t start = 0;
    std::int64_t step = 1;
    std::int64_t count = 0;
  };
  using Cuts = std::array<Cut, ops::Shape::kMaxRank>;

  static std::int64_t wrap(std::int64_t i, std::int64_t dim) { return i < 0 ? i + dim : i; }

  static Result<Cut> cut_of(std::int64_t dim,
                            std::int64_t start,
                            std::int64_t end,
                            std::int64_t step) {
    if (step == 0 || step == std::numeric_limits<std::int64_t>::min()) {
      return bad_model("a slice's step cannot be so");
    }
    const std::int64_t least = step > 0 ? 0 : -1;
    const std::int64_t most = step > 0 ? dim : dim - 1;
    const std::int64_t begin = std::clamp(wrap(start, dim), std::max<std::int64_t>(least, 0), most);
    const std::int64_t stop = std::clamp(wrap(end, dim), least, step > 0 ? dim : most);
    const std::int64_t distance = step > 0 ? stop - begin : begin - stop;
    const std::int64_t stride = step > 0 ? step : -step;
    const std::int64_t count = dim == 0 ? 0 : (distance + stride - 1) / stride;
    return Cut{.start = begin, .step = step, .count = std::max<std::int64_t>(count, 0)};
  }

  static Result<Cuts> cuts_of(std::span<const Tensor> inputs) {
    const ops::Shape& shape = inputs[0].shape;
    Cuts cuts;
    for (std::size_t i = 0; i < shape.rank(); ++i) cuts[i].count = shape[i];
    QUIRE_ASSIGN(const Integers starts, integers_of(inputs[1], "the starts"));
    QUIRE_ASSIGN(const Integers ends, integers_of(inputs[2], "the ends"));
    Integers axes;
    Integers steps;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      axes.push_back(static_cast<std::int64_t>(i));
      steps.push_back(1);
    }
    if (inputs.size() > 3 && inputs[3].present) {
      QUIRE_ASSIGN(axes, integers_of(inputs[3], "the axes"));
    }
    if (inputs.size() > 4 && inputs[4].present) {
      QUIRE_ASSIGN(steps, integers_of(inputs[4], "the steps"));
    }
    if (ends.size() != starts.size() || axes.size() != starts.size() ||
        steps.size() != starts.size()) {
      return bad_model("starts, ends, axes and steps must be of one length");
    }
    for (std::size_t i = 0; i < starts.size(); ++i) {
      QUIRE_ASSIGN(const std::size_t axis, checked_axis(axes[i], shape.rank()));
      QUIRE_ASSIGN(cuts[axis], cut_of(shape[axis], starts[i], ends[i], steps[i]));
    }
    return cuts;
  }

  // Copies what the cuts leave of dimension `d` and those behind it.
  static void copy(
      const Tensor& input, const Cuts& cuts, std::size_t d, const std::byte* from, std::byte** to) {
    if (d == input.shape.rank()) {
      const std::size_t bytes = ops::element_bytes(input.type);
      std::memcpy(*to, from, bytes);
      *to += bytes;
      return;
    }
    const Split3 at = split_at(input, d);
    bool rest_is_whole = cuts[d].step == 1;
    for (std::size_t i = d + 1; i < input.shape.rank(); ++i) {
      rest_is_whole = rest_is_whole && cuts[i].step == 1 && cuts[i].count == input.shape[i];
    }
    if (rest_is_whole) {
      const std::size_t bytes = static_cast<std::size_t>(cuts[d].count) * at.inner_bytes;
      if (bytes > 0) {
        std::memcpy(*to, from + static_cast<std::size_t>(cuts[d].start) * at.inner_bytes, bytes);
      }
      *to += bytes;
      return;
    }
    for (std::int64_t i = 0; i < cuts[d].count; ++i) {
      const auto place = static_cast<std::size_t>(cuts[d].start + i * cuts[d].step);
      copy(input, cuts, d + 1, from + place * at.inner_bytes, to);
    }
  }
};

// Entries of data along an axis, as indices name them.
class Gather final : public GraphOperator {
 public:
  explicit Gather(std::int64_t axis) : axis_(axis) {}

  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    const ops::Shape& data = inputs[0].shape;
    QUIRE_ASSIGN(const std::size_t axis, checked_axis(axis_, data.rank()));
    if (!inputs[1].present ||
        (inputs[1].type != ElementType::kInt64 && inputs[1].type != ElementType::kInt32)) {
      return bad_model("its indices must be integers");
    }
    if (data.rank() + inputs[1].shape.rank() > Integers::kMost) {
      return bad_model("a tensor has too many dimensions");
    }
    Integers dims;
    for (std::size_t i = 0; i < data.rank(); ++i) {
      if (i != axis) {
        dims.push_back(data[i]);
        continue;
      }
      for (const std::int64_t dim : inputs[1].shape.dims()) dims.push_back(dim);
    }
    const auto shape = ops::Shape::of(dims);
    if (!shape) return bad_model("a tensor of the graph is too large");
    outputs[0].type = inputs[0].type;
    outputs[0].shape = *shape;
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    if (inputs[1].type == ElementType::kInt64) {
      return gather(inputs[0], inputs[1].elements<std::int64_t>(), outputs[0]);
    }
    return gather(inputs[0], inputs[1].elements<std::int32_t>(), outputs[0]);
  }

 private:
  template <typename Index>
  Status gather(const Tensor& data, std::span<const Index> indices, const Tensor& output) const {
    QUIRE_ASSIGN(const std::size_t axis, checked_axis(axis_, data.shape.rank()));
    const Split3 from = split_at(data, axis);
    const auto dim = static_cast<std::int64_t>(from.axis);
    for (const Index index : indices) {
      if (index >= -dim && index < dim) continue;
      return invalid_argument("index " + std::to_string(index) + " is none of " +
                              std::to_string(dim) + " entries");
    }
    std::byte* to = bytes_to(output);
    const auto* source = static_cast<const std::byte*>(data.data);
    for (std::size_t i = 0; i < from.outer; ++i) {
      for (const Index index : indices) {
        const auto place = static_cast<std::size_t>(index < 0 ? index + dim : std::int64_t{index});
        std::memcpy(to, source + (i * from.axis + place) * from.inner_bytes, from.inner_bytes);
        to += from.inner_bytes;
      }
    }
    return ok_status();
  }

  std::int64_t axis_;
};

class Expand final : public GraphOperator {
 public:
  bool needs_value(std::size_t input) const override { return input == 1; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    QUIRE_ASSIGN(const Integers dims, integers_of(inputs[1], "the shape"));
    const auto wanted = ops::Shape::of(dims);
    if (!wanted) return bad_model("the shape cannot be");
    const std::array<ops::Shape, 2> shapes = {inputs[0].shape, *wanted};
    outputs[0].type = inputs[0].type;
    QUIRE_ASSIGN(outputs[0].shape, broadcast_shape(shapes));
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    const Walk<1> walk(outputs[0].shape, {inputs[0].shape});
    const auto bytes = static_cast<std::ptrdiff_t>(ops::element_bytes(inputs[0].type));
    const auto* from = static_cast<const std::byte*>(inputs[0].data);
    std::byte* to = bytes_to(outputs[0]);
    for (std::int64_t run = 0; run < walk.num_runs(); ++run) {
      const std::byte* begin = from + walk.begin_of(run)[0] * bytes;
      for (std::int64_t i = 0; i < walk.run(); ++i) {
        std::memcpy(to, begin + i * walk.run_strides()[0] * bytes, static_cast<std::size_t>(bytes));
        to += bytes;
      }
    }
    return ok_status();
  }
};

template <typename F>
Result<std::unique_ptr<GraphOperator>> along_axis(const onnx::OnnxNode& node,
                                                  std::int64_t otherwise) {
  QUIRE_ASSIGN(const std::int64_t axis, integer_attribute(node, "axis", otherwise));
  return std::unique_ptr<GraphOperator>(new F(axis));
}

}  // namespace

Result<std::unique_ptr<GraphOperator>> make_move(const onnx::OnnxNode& node) {
  const std::size_t count = node.inputs.size();
  const auto refuse = [count] { return bad_model("it has " + std::to_string(count) + " inputs"); };
  if (node.op_type == "Concat") return count < 1 ? refuse() : along_axis<Concat>(node, 0);
  if (node.op_type == "Gather") return count != 2 ? refuse() : along_axis<Gather>(node, 0);
  if (node.op_type == "Split") {
    return count < 1 || count > 2 ? refuse() : along_axis<Split>(node, 0);
  }
  if (node.op_type == "Expand") {
    if (count != 2) return refuse();
    return std::unique_ptr<GraphOperator>(new Expand);
  }
  if (node.op_type != "Slice") return std::unique_ptr<GraphOperator>();
  if (count < 3 || count > 5) return refuse();
  return std::unique_ptr<GraphOperator>(new Slice);
}

}  // namespace quire::graph
