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

// silu(gate) * up = gate / (1 + exp(-gate)) * up
template <typename V>
typename V::F gated(typename V::F gate, typename V::F up) {
  const typename V::F denominator = V::add(V::set1(1.0F), simd::exp<V>(V::sub(V::zero(), gate)));
  return V::mul(V::div(gate, denominator), up);
}

template <typename V>
void swiglu_rows(const SwiGluCall& call, std::int64_t row_begin, std::int64_t row_end) {
  const std::int64_t whole = call.width / V::kLanes * V::kLanes;
  const int rest = static_cast<int>(call.width - whole);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* gate = call.x + row * 2 * call.width;
    const float* up = gate + call.width;
    float* y = call.y + row * call.width;
    for (std::int64_t i = 0; i < whole; i += V::kLanes) {
      V::store(y + i, gated<V>(V::load(gate + i), V::load(up + i)));
    }
    if (rest > 0) {
      V::store_n(
          y + whole, rest, gated<V>(V::load_n(gate + whole, rest), V::load_n(up + whole, rest)));
    }
  }
}

}  // namespace quire::kernels
