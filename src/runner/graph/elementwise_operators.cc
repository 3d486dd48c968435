#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "runner/graph/broadcast.h"
#include "runner/graph/graph_operator.h"

namespace quire::graph {

Result<ops::Shape> broadcast_shape(std::span<const ops::Shape> shapes) {
  std::size_t rank = 0;
  for (const ops::Shape& shape : shapes) rank = std::max(rank, shape.rank());
  std::array<std::int64_t, ops::Shape::kMaxRank> dims;
  dims.fill(1);
  for (const ops::Shape& shape : shapes) {
    for (std::size_t i = 0; i < shape.rank(); ++i) {
      std::int64_t& dim = dims[rank - shape.rank() + i];
      if (shape[i] == 1 || shape[i] == dim) continue;
      if (dim != 1) {
        return bad_model("shapes " + shapes[0].text() + " and " + shape.text() +
                         " do not go together");
      }
      dim = shape[i];
    }
  }
  const auto made = ops::Shape::of(std::span(dims).first(rank));
  if (!made) return bad_model("a tensor of the graph is too large");
  return *made;
}

namespace {

using ops::ElementType;
using ops::Tensor;

// Below this many elements waking threads costs more than it gains.
constexpr std::int64_t kMinParallelElements = 32768;
constexpr std::int64_t kItemElements = 8192;

// Calls runs(begin, end) over `count` runs of `length` elements, some at a time.
template <typename Runs>
void for_each_run(kernels::Executor& executor,
                  std::int64_t count,
                  std::int64_t length,
                  const Runs& runs) {
  if (count * length < kMinParallelElements) return runs(0, count);
  const std::int64_t step = kItemElements / length + 1;
  kernels::for_each_item(executor, (count + step - 1) / step, [&](std::int64_t item, int) {
    runs(item * step, std::min((item + 1) * step, count));
  });
}

// One operand along a run: it moves by `stride`, 0 or 1, from element to element.
template <typename T>
struct Operand {
  const T* data;
  std::int64_t stride;
};

// y[i] = f(a[i], b[i]), a loop for each pair of strides: they are known where it matters for speed.
template <typename F, typename T, typename R>
void binary_run(const F& f, Operand<T> a, Operand<T> b, std::span<R> y) {
  const std::size_t n = y.size();
  R* const to = y.data();
  if (a.stride == 1 && b.stride == 1) {
    for (std::size_t i = 0; i < n; ++i) to[i] = f(a.data[i], b.data[i]);
  } else if (a.stride == 1) {
    for (std::size_t i = 0; i < n; ++i) to[i] = f(a.data[i], *b.data);
  } else if (b.stride == 1) {
    for (std::size_t i = 0; i < n; ++i) to[i] = f(*a.data, b.data[i]);
  } else {
    std::fill_n(to, n, f(*a.data, *b.data));
  }
}

template <typename F, typename T, typename R>
void binary(kernels::Executor& executor,
            const F& f,
            std::span<const Tensor> inputs,
            const Tensor& output) {
  const Walk<2> walk(output.shape, {inputs[0].shape, inputs[1].shape});
  const T* a = inputs[0].elements<T>().data();
  const T* b = inputs[1].elements<T>().data();
  R* y = writable<R>(output).data();
  const std::int64_t n = walk.run();
  for_each_run(executor, walk.num_runs(), n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t run = begin; run < end; ++run) {
      const auto at = walk.begin_of(run);
      const auto& stride = walk.run_strides();
      binary_run(f,
                 Operand<T>{a + at[0], stride[0]},
                 Operand<T>{b + at[1], stride[1]},
                 std::span<R>(y + run * n, static_cast<std::size_t>(n)));
    }
  });
}

struct AddOp {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a + b);
  }
};
struct SubOp {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a - b);
  }
};
struct MulOp {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a * b);
  }
};
struct DivOp {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a / b);
  }
};
// A NaN on either side is the result.
struct MaxOp {
  template <typename T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct MinOp {
  template <typename T>
  T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
struct EqualOp {
  template <typename T>
  bool operator()(T a, T b) const {
    return a == b;
  }
};
struct GreaterOp {
  template <typename T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};
struct GreaterOrEqualOp {
  template <typename T>
  bool operator()(T a, T b) const {
    return a >= b;
  }
};
struct LessOp {
  template <typename T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};
struct LessOrEqualOp {
  template <typename T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};

// Integers wrap as on every machine, and their division is checked.
template <typename F, typename T>
constexpr bool kDivides = std::is_same_v<F, DivOp> && std::is_integral_v<T>;

template <typename T>
Status check_divisors(std::span<const T> dividends, std::span<const T> divisors) {
  bool has_least = false;
  for (const T value : dividends) has_least |= value == std::numeric_limits<T>::min();
  for (const T value : divisors) {
    if (value == 0) return invalid_argument("a division by zero");
    if (value == T{-1} && has_least) return invalid_argument("a division that overflows");
  }
  return ok_status();
}

// The unsigned type whose arithmetic wraps, for integers; others as they are.
template <typename F, typename T>
Status run_typed(kernels::Executor& executor,
                 std::span<const Tensor> inputs,
                 const Tensor& output) {
  if constexpr (kDivides<F, T>) {
    QUIRE_TRY(check_divisors(inputs[0].elements<T>(), inputs[1].elements<T>()));
  }
  constexpr bool kWraps =
      std::is_integral_v<T> &&
      (std::is_same_v<F, AddOp> || std::is_same_v<F, SubOp> || std::is_same_v<F, MulOp>);
  if constexpr (kWraps) {
    using U = std::make_unsigned_t<T>;
    binary<F, U, U>(executor, F(), inputs, output);
  } else {
    using R = std::invoke_result_t<F, T, T>;
    binary<F, T, R>(executor, F(), inputs, output);
  }
  return ok_status();
}

template <typename F>
class Binary final : public GraphOperator {
 public:
  bool is_addition() const override { return std::is_same_v<F, AddOp>; }
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    for (const Tensor& input : inputs) {
      if (!input.present || input.type != inputs[0].type) {
        return bad_model("its operands must have one element type");
      }
    }
    if (inputs[0].type != ElementType::kFloat32 && inputs[0].type != ElementType::kInt64 &&
        inputs[0].type != ElementType::kInt32) {
      return bad_model("it does not take elements of type " +
                       std::string(ops::element_name(inputs[0].type)));
    }
    const std::array<ops::Shape, 2> shapes = {inputs[0].shape, inputs[1].shape};
    QUIRE_ASSIGN(outputs[0].shape, broadcast_shape(shapes));
    constexpr bool kCompares = std::is_same_v<std::invoke_result_t<F, float, float>, bool>;
    outputs[0].type = kCompares ? ElementType::kBool : inputs[0].type;
    return ok_status();
  }

  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    switch (inputs[0].type) {
      case ElementType::kFloat32:
        return run_typed<F, float>(executor, inputs, outputs[0]);
      case ElementType::kInt64:
        return run_typed<F, std::int64_t>(executor, inputs, outputs[0]);
      default:
        return run_typed<F, std::int32_t>(executor, inputs, outputs[0]);
    }
  }
};

struct AndOp {
  bool operator()(bool a, bool b) const { return a && b; }
};
struct OrOp {
  bool operator()(bool a, bool b) const { return a || b; }
};

template <typename F>
class Logical final : public GraphOperator {
 public:
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    QUIRE_TRY(ops::check_tensor(inputs[0], ElementType::kBool, -1, "its first operand"));
    QUIRE_TRY(ops::check_tensor(inputs[1], ElementType::kBool, -1, "its second operand"));
    const std::array<ops::Shape, 2> shapes = {inputs[0].shape, inputs[1].shape};
    QUIRE_ASSIGN(outputs[0].shape, broadcast_shape(shapes));
    outputs[0].type = ElementType::kBool;
    return ok_status();
  }
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    binary<F, bool, bool>(executor, F(), inputs, outputs[0]);
    return ok_status();
  }
};

class Not final : public GraphOperator {
 public:
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    QUIRE_TRY(ops::check_tensor(inputs[0], ElementType::kBool, -1, "its operand"));
    outputs[0] = {.present = true, .type = ElementType::kBool, .shape = inputs[0].shape};
    return ok_status();
  }
  Status run(kernels::Executor&,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    std::ranges::transform(inputs[0].elements<bool>(),
                           writable<bool>(outputs[0]).begin(),
                           [](bool value) { return !value; });
    return ok_status();
  }
};

class Neg final : public GraphOperator {
 public:
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    if (!inputs[0].present ||
        (inputs[0].type != ElementType::kFloat32 && inputs[0].type != ElementType::kInt64)) {
      return bad_model("it takes float or int64");
    }
    outputs[0] = {.present = true, .type = inputs[0].type, .shape = inputs[0].shape};
    return ok_status();
  }
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    if (inputs[0].type == ElementType::kInt64) {
      std::ranges::transform(inputs[0].elements<std::uint64_t>(),
                             writable<std::uint64_t>(outputs[0]).begin(),
                             [](std::uint64_t value) { return std::uint64_t{0} - value; });
      return ok_status();
    }
    const float* x = inputs[0].elements<float>().data();
    const auto y = writable<float>(outputs[0]);
    for_each_run(executor,
                 static_cast<std::int64_t>(y.size()),
                 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) y.data()[i] = -x[i];
                 });
    return ok_status();
  }
};

// y = condition ? a : b, of any element type.
class Where final : public GraphOperator {
 public:
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    QUIRE_TRY(ops::check_tensor(inputs[0], ElementType::kBool, -1, "its condition"));
    if (!inputs[1].present || !inputs[2].present || inputs[1].type != inputs[2].type) {
      return bad_model("its two values must have one element type");
    }
    const std::array<ops::Shape, 3> shapes = {inputs[0].shape, inputs[1].shape, inputs[2].shape};
    QUIRE_ASSIGN(outputs[0].shape, broadcast_shape(shapes));
    outputs[0].type = inputs[1].type;
    return ok_status();
  }
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    switch (ops::element_bytes(inputs[1].type)) {
      case 1:
        return choose<std::uint8_t>(executor, inputs, outputs[0]);
      case 2:
        return choose<std::uint16_t>(executor, inputs, outputs[0]);
      case 4:
        return choose<std::uint32_t>(executor, inputs, outputs[0]);
      default:
        return choose<std::uint64_t>(executor, inputs, outputs[0]);
    }
  }

 private:
  template <typename T>
  static Status choose(kernels::Executor& executor,
                       std::span<const Tensor> inputs,
                       const Tensor& output) {
    const Walk<3> walk(output.shape, {inputs[0].shape, inputs[1].shape, inputs[2].shape});
    const bool* condition = inputs[0].elements<bool>().data();
    const T* a = inputs[1].elements<T>().data();
    const T* b = inputs[2].elements<T>().data();
    T* y = writable<T>(output).data();
    const std::int64_t n = walk.run();
    for_each_run(executor, walk.num_runs(), n, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t run = begin; run < end; ++run) {
        const auto at = walk.begin_of(run);
        const auto& stride = walk.run_strides();
        for (std::int64_t i = 0; i < n; ++i) {
          y[run * n + i] = condition[at[0] + i * stride[0]] ? a[at[1] + i * stride[1]]
                                                            : b[at[2] + i * stride[2]];
        }
      }
    });
    return ok_status();
  }
};

// Limits are scalars that may be left out.
class Clip final : public GraphOperator {
 public:
  Status infer(std::span<const Tensor> inputs, std::span<Tensor> outputs) const override {
    if (!inputs[0].present ||
        (inputs[0].type != ElementType::kFloat32 && inputs[0].type != ElementType::kInt64)) {
      return bad_model("it takes float or int64");
    }
    for (const Tensor& limit : inputs.subspan(1)) {
      if (!limit.present) continue;
      if (limit.type != inputs[0].type || limit.shape.num_elements() != 1) {
        return bad_model("its limits must be scalars of the type of its operand");
      }
    }
    outputs[0] = {.present = true, .type = inputs[0].type, .shape = inputs[0].shape};
    return ok_status();
  }
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) override {
    if (inputs[0].type == ElementType::kFloat32) return clip<float>(executor, inputs, outputs[0]);
    return clip<std::int64_t>(executor, inputs, outputs[0]);
  }

 private:
  template <typename T>
  static Status clip(kernels::Executor& executor,
                     std::span<const Tensor> inputs,
                     const Tensor& output) {
    using Limits = std::numeric_limits<T>;
    const auto limit = [&inputs](std::size_t i, T otherwise) {
      return i < inputs.size() && inputs[i].present ? inputs[i].elements<T>()[0] : otherwise;
    };
    const T low = limit(1, Limits::lowest());
    const T high = limit(2, Limits::max());
    const T* x = inputs[0].elements<T>().data();
    const auto y = writable<T>(output);
    for_each_run(executor,
                 static_cast<std::int64_t>(y.size()),
                 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     T value = x[i] < low ? low : x[i];
                     y.data()[i] = value > high ? high : value;
                   }
                 });
    return ok_status();
  }
};

template <typename F>
std::unique_ptr<GraphOperator> made() {
  return std::make_unique<F>();
}

struct Entry {
  std::string_view name;
  std::size_t least_inputs;
  std::size_t most_inputs;
  std::unique_ptr<GraphOperator> (*make)();
};
constexpr std::array<Entry, 17> kEntries = {{
    {"Add", 2, 2, &made<Binary<AddOp>>},
    {"Sub", 2, 2, &made<Binary<SubOp>>},
    {"Mul", 2, 2, &made<Binary<MulOp>>},
    {"Div", 2, 2, &made<Binary<DivOp>>},
    {"Max", 2, 2, &made<Binary<MaxOp>>},
    {"Min", 2, 2, &made<Binary<MinOp>>},
    {"Equal", 2, 2, &made<Binary<EqualOp>>},
    {"Greater", 2, 2, &made<Binary<GreaterOp>>},
    {"GreaterOrEqual", 2, 2, &made<Binary<GreaterOrEqualOp>>},
    {"Less", 2, 2, &made<Binary<LessOp>>},
    {"LessOrEqual", 2, 2, &made<Binary<LessOrEqualOp>>},
    {"And", 2, 2, &made<Logical<AndOp>>},
    {"Or", 2, 2, &made<Logical<OrOp>>},
    {"Not", 1, 1, &made<Not>},
    {"Neg", 1, 1, &made<Neg>},
    {"Where", 3, 3, &made<Where>},
    {"Clip", 1, 3, &made<Clip>},
}};

}  // namespace

Result<std::unique_ptr<GraphOperator>> make_elementwise(const onnx::OnnxNode& node) {
  const std::span entries(kEntries);
  const auto entry = std::ranges::find(entries, node.op_type, &Entry::name);
  if (entry == entries.end()) return std::unique_ptr<GraphOperator>();
  if (node.inputs.size() < entry->least_inputs || node.inputs.size() > entry->most_inputs) {
    return bad_model("it has " + std::to_string(node.inputs.size()) + " inputs");
  }
  return entry->make();
}

}  // namespace quire::graph
