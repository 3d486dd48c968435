#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/math.h"

// Included by one file for each instruction set; see simd/portable.h for the rules of such code.
namespace quire::kernels {

// The squares are summed in sixteen lanes over ascending k and folded by one fixed tree.
template <typename V>
void rms_norm_rows(const RmsNormCall& call, std::int64_t row_begin, std::int64_t row_end) {
  using F = typename V::F;
  const std::int64_t whole = call.k / V::kLanes * V::kLanes;
  const int rest = static_cast<int>(call.k - whole);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* x = call.x + row * call.k;
    float* y = call.y + row * call.k;
    F squares = V::zero();
    for (std::int64_t i = 0; i < whole; i += V::kLanes) {
      const F value = V::load(x + i);
      squares = V::fma(value, value, squares);
    }
    if (rest > 0) {
      const F value = V::load_n(x + whole, rest);
      squares = V::fma(value, value, squares);
    }
    const float mean = V::reduce_add(squares) / static_cast<float>(call.k);
    const F factor = V::set1(1.0F / V::sqrt(mean + call.epsilon));
    for (std::int64_t i = 0; i < whole; i += V::kLanes) {
      V::store(y + i, V::mul(V::mul(V::load(x + i), factor), V::load(call.weight + i)));
    }
    if (rest > 0) {
      const F value = V::mul(V::load_n(x + whole, rest), factor);
      V::store_n(y + whole, rest, V::mul(value, V::load_n(call.weight + whole, rest)));
    }
  }
}

// Two passes: the mean, then the squared distances from it, both in sixteen lanes as above.
template <typename V>
void layer_norm_rows(const LayerNormCall& call, std::int64_t row_begin, std::int64_t row_end) {
  using F = typename V::F;
  const std::int64_t whole = call.k / V::kLanes * V::kLanes;
  const int rest = static_cast<int>(call.k - whole);
  const auto count = static_cast<float>(call.k);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* x = call.x + row * call.k;
    float* y = call.y + row * call.k;
    F sum = V::zero();
    for (std::int64_t i = 0; i < whole; i += V::kLanes) sum = V::add(sum, V::load(x + i));
    if (rest > 0) sum = V::add(sum, V::load_n(x + whole, rest));
    const F mean = V::set1(V::reduce_add(sum) / count);
    F squares = V::zero();
    for (std::int64_t i = 0; i < whole; i += V::kLanes) {
      const F distance = V::sub(V::load(x + i), mean);
      squares = V::fma(distance, distance, squares);
    }
    if (rest > 0) {
      const F distance =
          V::keep_lanes(V::sub(V::load_n(x + whole, rest), mean), 0, rest, V::zero());
      squares = V::fma(distance, distance, squares);
    }
    const F factor = V::set1(1.0F / V::sqrt(V::reduce_add(squares) / count + call.epsilon));
    for (std::int64_t i = 0; i < call.k; i += V::kLanes) {
      const int lanes = i < whole ? V::kLanes : rest;
      const F unit = V::mul(V::sub(V::load_n(x + i, lanes), mean), factor);
      const F bias = call.bias == nullptr ? V::zero() : V::load_n(call.bias + i, lanes);
      V::store_n(y + i, lanes, V::fma(unit, V::load_n(call.weight + i, lanes), bias));
    }
  }
}

}  // namespace quire::kernels
