#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/math.h"

// Included by one file for each instruction set; see simd/portable.h for the rules of such code.
namespace quire::kernels {

// x / (1 + exp(-slope * x)): silu, and with another exponent the tanh form of gelu.
template <typename V>
typename V::F sigmoid_weighted(typename V::F x, typename V::F exponent) {
  const typename V::F e = simd::exp<V>(V::sub(V::zero(), exponent));
  return V::div(x, V::add(V::set1(1.0F), e));
}

template <typename V, ActivationKind kKind>
typename V::F activation(typename V::F x, typename V::F cap) {
  using F = typename V::F;
  const F one = V::set1(1.0F);
  if constexpr (kKind == ActivationKind::kSilu) {
    return sigmoid_weighted<V>(x, x);
  } else if constexpr (kKind == ActivationKind::kGelu) {
    const F half = V::mul(V::set1(0.5F), x);
    return V::fma(half, simd::erf<V>(V::mul(x, V::set1(0.70710678F))), half);
  } else if constexpr (kKind == ActivationKind::kGeluTanh) {
    // x (1 + tanh u) / 2 = x / (1 + exp(-2u)) with u = sqrt(2 / pi) (x + 0.044715 x^3)
    const F cubic = V::fma(V::mul(V::mul(x, x), x), V::set1(0.044715F), x);
    return sigmoid_weighted<V>(x, V::mul(cubic, V::set1(1.59576912F)));
  } else if constexpr (kKind == ActivationKind::kRelu) {
    return V::max(V::zero(), x);
  } else if constexpr (kKind == ActivationKind::kReluSquared) {
    const F positive = V::max(V::zero(), x);
    return V::mul(positive, positive);
  } else if constexpr (kKind == ActivationKind::kSigmoid) {
    return sigmoid_weighted<V>(one, x);
  } else if constexpr (kKind == ActivationKind::kTanh) {
    return simd::tanh<V>(x);
  } else {
    return V::mul(simd::tanh<V>(V::div(x, cap)), cap);
  }
}

template <typename V, ActivationKind kKind, bool kGated>
void activate_rows_as(const ActivationCall& call, std::int64_t row_begin, std::int64_t row_end) {
  using F = typename V::F;
  const F cap = V::set1(call.cap);
  const std::int64_t whole = call.width / V::kLanes * V::kLanes;
  const int rest = static_cast<int>(call.width - whole);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const float* x = call.x + row * call.x_stride;
    const float* up = x + call.up_offset;
    float* y = call.y + row * call.y_stride;
    for (std::int64_t i = 0; i < whole; i += V::kLanes) {
      F value = activation<V, kKind>(V::load(x + i), cap);
      if constexpr (kGated) value = V::mul(value, V::load(up + i));
      V::store(y + i, value);
    }
    if (rest > 0) {
      F value = activation<V, kKind>(V::load_n(x + whole, rest), cap);
      if constexpr (kGated) value = V::mul(value, V::load_n(up + whole, rest));
      V::store_n(y + whole, rest, value);
    }
  }
}

template <typename V, ActivationKind kKind>
void activate_rows_of(const ActivationCall& call, std::int64_t row_begin, std::int64_t row_end) {
  if (call.gated) return activate_rows_as<V, kKind, true>(call, row_begin, row_end);
  activate_rows_as<V, kKind, false>(call, row_begin, row_end);
}

template <typename V>
void activate_rows(const ActivationCall& call, std::int64_t row_begin, std::int64_t row_end) {
  using Kind = ActivationKind;
  switch (call.kind) {
    case Kind::kSilu:
      return activate_rows_of<V, Kind::kSilu>(call, row_begin, row_end);
    case Kind::kGelu:
      return activate_rows_of<V, Kind::kGelu>(call, row_begin, row_end);
    case Kind::kGeluTanh:
      return activate_rows_of<V, Kind::kGeluTanh>(call, row_begin, row_end);
    case Kind::kRelu:
      return activate_rows_of<V, Kind::kRelu>(call, row_begin, row_end);
    case Kind::kReluSquared:
      return activate_rows_of<V, Kind::kReluSquared>(call, row_begin, row_end);
    case Kind::kSigmoid:
      return activate_rows_of<V, Kind::kSigmoid>(call, row_begin, row_end);
    case Kind::kTanh:
      return activate_rows_of<V, Kind::kTanh>(call, row_begin, row_end);
    case Kind::kSoftCap:
      return activate_rows_of<V, Kind::kSoftCap>(call, row_begin, row_end);
  }
}

}  // namespace quire::kernels
