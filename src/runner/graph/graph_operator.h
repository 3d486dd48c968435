#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kernels/executor.h"
#include "onnx_file/onnx_graph.h"
#include "ops/operator.h"
#include "ops/tensor.h"
#include "quire/status.h"

namespace quire::graph {

// A node as the executor sees it, whatever is behind it: an operator of src/ops, one of ONNX
// itself, or several that were fused. Immutable between runs.
class GraphOperator {
 public:
  GraphOperator() = default;
  GraphOperator(const GraphOperator&) = delete;
  GraphOperator& operator=(const GraphOperator&) = delete;
  virtual ~GraphOperator() = default;

  // Sets type and shape of each output from types and shapes of the inputs, with all checks. Inputs
  // of needs_value() have their data; no other has.
  virtual Status infer(std::span<const ops::Tensor> inputs,
                       std::span<ops::Tensor> outputs) const = 0;

  // Computes the outputs, whose types and shapes are those of infer() and whose data may be written
  // to. Throws std::bad_alloc only where scratch memory grows.
  virtual Status run(kernels::Executor& executor,
                     std::span<const ops::Tensor> inputs,
                     std::span<const ops::Tensor> outputs) = 0;

  // Whether infer() reads the values of an input, not only its shape.
  virtual bool needs_value(std::size_t /*input*/) const { return false; }
  // Whether the outputs follow from the inputs' shapes alone.
  virtual bool reads_shapes_only() const { return false; }
  // Whether the output is the bytes of input 0 with another shape: nothing is computed.
  virtual bool forwards() const { return false; }
  // Whether it adds its two inputs, element by element.
  virtual bool is_addition() const { return false; }
};

// The elements of a tensor that is somebody's output.
template <typename T>
std::span<T> writable(const ops::Tensor& tensor) {
  return {static_cast<T*>(const_cast<void*>(tensor.data)), tensor.shape.num_elements()};
}

// The operator of ONNX that `node` names: those that move values or compute each element alone
// (docs/model_package.md). Fails with kBadModel for any other, by name.
Result<std::unique_ptr<GraphOperator>> make_stock_operator(const onnx::OnnxNode& node);

// The parts of make_stock_operator(), a family each; null for a name of another family.
Result<std::unique_ptr<GraphOperator>> make_elementwise(const onnx::OnnxNode& node);
Result<std::unique_ptr<GraphOperator>> make_shape_operator(const onnx::OnnxNode& node);
Result<std::unique_ptr<GraphOperator>> make_move(const onnx::OnnxNode& node);

// An attribute's integer or integers; `otherwise` where it is left out. kBadModel: another kind.
Result<std::int64_t> integer_attribute(const onnx::OnnxNode& node,
                                       std::string_view name,
                                       std::int64_t otherwise);

// ONNX's element type in the operators' words. kBadModel for one that no operator takes.
Result<ops::ElementType> element_type(int onnx_type);

// A few integers, in place: what shapes, axes and the like are.
class Integers {
 public:
  static constexpr std::size_t kMost = 16;

  std::size_t size() const { return size_; }
  bool is_full() const { return size_ == kMost; }
  void push_back(std::int64_t value) { values_[size_++] = value; }  // unless it is full
  void insert(std::size_t place, std::int64_t value);               // unless it is full
  std::int64_t& operator[](std::size_t i) { return values_[i]; }
  std::int64_t operator[](std::size_t i) const { return values_[i]; }
  std::int64_t* begin() { return values_.data(); }
  std::int64_t* end() { return values_.data() + size_; }
  const std::int64_t* begin() const { return values_.data(); }
  const std::int64_t* end() const { return values_.data() + size_; }

 private:
  std::array<std::int64_t, kMost> values_ = {};
  std::size_t size_ = 0;
};

// The integers of a tensor of shapes or axes, int64 or int32. kBadModel: other elements, or more
// than Integers hold.
Result<Integers> integers_of(const ops::Tensor& tensor, std::string_view name);

// `axis` counted from the front. kBadModel outside [-rank, rank).
Result<std::size_t> checked_axis(std::int64_t axis, std::size_t rank);

}  // namespace quire::graph
