#pragma once

namespace quire::kernels::simd {

// exp(x) as scale * (1 + q): kept apart because expm1 needs them so.
template <typename V>
struct ExpParts {
  typename V::F scale;
  typename V::F q;
};

// x = n ln 2 + r, |r| <= ln 2 / 2; scale = 2^n; q = e^r - 1 by its Taylor series, whose first term
// left out is below 0.05 ulp. For x in [-87.3, 88]; a NaN stays one.
template <typename V>
ExpParts<V> exp_parts(typename V::F x) {
  using F = typename V::F;
  // Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves it in the low mantissa bits.
  const F magic = V::set1(12582912.0F);
  const F shifted = V::add(V::mul(x, V::set1(1.44269504F)), magic);
  const F n = V::sub(shifted, magic);
  // ln 2 in two parts, the first with few enough bits that n times it is exact.
  F r = V::fma(n, V::set1(-0.693359375F), x);
  r = V::fma(n, V::set1(2.12194440e-4F), r);
  F p = V::set1(1.0F / 5040.0F);
  p = V::fma(p, r, V::set1(1.0F / 720.0F));
  p = V::fma(p, r, V::set1(1.0F / 120.0F));
  p = V::fma(p, r, V::set1(1.0F / 24.0F));
  p = V::fma(p, r, V::set1(1.0F / 6.0F));
  p = V::fma(p, r, V::set1(0.5F));
  const F q = V::fma(V::mul(r, r), p, r);
  const F scale = V::as_float(V::addi(V::shift_left_23(V::as_int(shifted)), V::set1i(0x3f800000)));
  return {scale, q};
}

// e^x within 2 ulp. Below -87.3 it is 0 (never subnormal, which would be slow), above 88 it stays
// at e^88, a NaN stays one. The same for every lane, whatever is in the others.
template <typename V>
typename V::F exp(typename V::F x) {
  using F = typename V::F;
  const F low = V::set1(-87.3F);
  const F clamped = V::min(V::set1(88.0F), V::max(low, x));
  const ExpParts<V> parts = exp_parts<V>(clamped);
  return V::select_less(x, low, V::zero(), V::fma(parts.scale, parts.q, parts.scale));
}

// tanh(x) = expm1(2x) / (expm1(2x) + 2), accurate near zero too.
template <typename V>
typename V::F tanh(typename V::F x) {
  using F = typename V::F;
  const F twice = V::add(x, x);
  const F clamped = V::min(V::set1(40.0F), V::max(V::set1(-40.0F), twice));
  const ExpParts<V> parts = exp_parts<V>(clamped);
  const F expm1 = V::fma(parts.q, parts.scale, V::sub(parts.scale, V::set1(1.0F)));
  return V::div(expm1, V::add(expm1, V::set1(2.0F)));
}

// erf(z) within 2e-7. Up to 1 a polynomial in z^2 times z; above it 1 - exp(-z^2) times a
// polynomial in 1 / (1 + z / 2), both fitted at Chebyshev points; from 4.2 on that is 1 in float.
template <typename V>
typename V::F erf(typename V::F z) {
  using F = typename V::F;
  const F one = V::set1(1.0F);
  const F negative = V::sub(V::zero(), z);
  const F size = V::select_less(z, V::zero(), negative, z);
  const F square = V::mul(z, z);
  F near = V::set1(-9.673590575e-06F);
  near = V::fma(near, square, V::set1(1.126825382e-04F));
  near = V::fma(near, square, V::set1(-8.484396540e-04F));
  near = V::fma(near, square, V::set1(5.221053412e-03F));
  near = V::fma(near, square, V::set1(-2.686543831e-02F));
  near = V::fma(near, square, V::set1(1.128378262e-01F));
  near = V::fma(near, square, V::set1(-3.761263848e-01F));
  near = V::mul(V::fma(near, square, V::set1(1.128379167F)), size);
  const F most = V::min(V::set1(4.2F), size);
  const F t = V::div(one, V::fma(most, V::set1(0.5F), one));
  F far = V::set1(1.192590461e-01F);
  far = V::fma(far, t, V::set1(-4.708817821e-01F));
  far = V::fma(far, t, V::set1(5.627731065e-01F));
  far = V::fma(far, t, V::set1(-1.031726296e-01F));
  far = V::fma(far, t, V::set1(3.475650249e-01F));
  far = V::fma(far, t, V::set1(2.597658122e-01F));
  far = V::fma(far, t, V::set1(2.848982124e-01F));
  far = V::fma(far, t, V::set1(-1.530647939e-04F));
  far = V::sub(one, V::mul(exp<V>(V::sub(V::zero(), V::mul(most, most))), far));
  const F value = V::select_less(size, one, near, far);
  return V::select_less(z, V::zero(), V::sub(V::zero(), value), value);
}

}  // namespace quire::kernels::simd
