#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/tensor.h"
#include "quire/result.h"

namespace quire::graph {

// The shape that tensors of these shapes have together (ONNX's multidirectional broadcasting).
Result<ops::Shape> broadcast_shape(std::span<const ops::Shape> shapes);

// How kOperands tensors are walked side by side over a broadcast shape: dimensions that all of them
// walk in one go are merged, so that the innermost run is as long as it can be.
template <std::size_t kOperands>
class Walk {
 public:
  Walk(const ops::Shape& shape, const std::array<ops::Shape, kOperands>& operands) {
    std::array<std::int64_t, kOperands> size;
    size.fill(1);
    for (std::size_t d = shape.rank(); d-- > 0;) {
      std::array<std::int64_t, kOperands> stride;
      for (std::size_t i = 0; i < kOperands; ++i) {
        const std::int64_t dim = dim_of(operands[i], shape.rank(), d);
        stride[i] = dim == 1 ? 0 : size[i];
        size[i] *= dim;
      }
      push(shape[d], stride);
    }
    if (rank_ == 0) push(1, {});
  }

  // The innermost run's length, and how far each operand moves along it: 0 or 1.
  std::int64_t run() const { return dims_[0]; }
  const std::array<std::int64_t, kOperands>& run_strides() const { return strides_[0]; }
  std::int64_t num_runs() const {
    std::int64_t count = 1;
    for (std::size_t d = 1; d < rank_; ++d) count *= dims_[d];
    return count;
  }
  // Where each operand's index-th run begins.
  std::array<std::int64_t, kOperands> begin_of(std::int64_t index) const {
    std::array<std::int64_t, kOperands> begin = {};
    for (std::size_t d = 1; d < rank_; ++d) {
      const std::int64_t place = index % dims_[d];
      index /= dims_[d];
      for (std::size_t i = 0; i < kOperands; ++i) begin[i] += place * strides_[d][i];
    }
    return begin;
  }

 private:
  static std::int64_t dim_of(const ops::Shape& shape, std::size_t rank, std::size_t d) {
    const std::size_t missing = rank - shape.rank();
    return d < missing ? 1 : shape[d - missing];
  }

  // Adds a dimension outside those there are.
  void push(std::int64_t dim, const std::array<std::int64_t, kOperands>& stride) {
    if (dim == 1) return push_if_first(dim, stride);
    if (rank_ > 0) {
      bool goes_on = true;
      for (std::size_t i = 0; i < kOperands; ++i) {
        goes_on = goes_on && stride[i] == strides_[rank_ - 1][i] * dims_[rank_ - 1];
      }
      if (goes_on || dims_[rank_ - 1] == 1) {
        if (dims_[rank_ - 1] == 1) strides_[rank_ - 1] = stride;
        dims_[rank_ - 1] *= dim;
        return;
      }
    }
    dims_[rank_] = dim;
    strides_[rank_++] = stride;
  }
  void push_if_first(std::int64_t dim, const std::array<std::int64_t, kOperands>& stride) {
    if (rank_ > 0) return;
    dims_[0] = dim;
    strides_[0] = stride;
    rank_ = 1;
  }

  std::array<std::int64_t, ops::Shape::kMaxRank + 1> dims_ = {};
  std::array<std::array<std::int64_t, kOperands>, ops::Shape::kMaxRank + 1> strides_ = {};
  std::size_t rank_ = 0;
};

}  // namespace quire::graph
