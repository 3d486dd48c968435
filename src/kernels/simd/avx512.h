#pragma once

#include <immintrin.h>

#include <cstdint>

namespace quire::kernels::simd {

// Sixteen lanes in one AVX-512 register; byte dot products by VNNI. See Portable for the rules.
struct Avx512 {
  static constexpr int kLanes = 16;
  static constexpr int kPanelRows = 8;
  static constexpr int kTileColumns = 4;
  // Few rows: more columns, to have enough sums under way. Many rows: more would spill registers.
  static constexpr int side_by_side(int rows, bool quantized) {
    return rows <= 4 ? 4 : quantized ? 1 : 2;
  }
  static constexpr int kAttentionVectors = 4;
  // vpdpbusd wants its weights unsigned: q + 128, and the sum of x times 128 taken out again.
  static constexpr int kByteOffset = 128;

  using F = __m512;
  using I = __m512i;

  static F zero() { return _mm512_setzero_ps(); }
  static F set1(float value) { return _mm512_set1_ps(value); }
  static I set1i(std::int32_t value) { return _mm512_set1_epi32(value); }

  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static F load_n(const float* p, int n) { return _mm512_maskz_loadu_ps(lanes_below(n), p); }
  static void store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static void store_n(float* p, int n, F v) { _mm512_mask_storeu_ps(p, lanes_below(n), v); }
  static F load_bf16(const std::uint16_t* p) {
    return as_float(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_16x16(p)), 16));
  }
  static F load_i8(const std::int8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static F load_f16(const std::uint16_t* p) { return _mm512_cvtph_ps(load_16x16(p)); }
  static void store_f16(std::uint16_t* p, F v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F min(F a, F b) { return _mm512_min_ps(a, b); }
  static F to_float(I v) { return _mm512_cvtepi32_ps(v); }
  static I to_int(F v) { return _mm512_cvtps_epi32(v); }
  static I as_int(F v) { return _mm512_castps_si512(v); }
  static F as_float(I v) { return _mm512_castsi512_ps(v); }
  static I addi(I a, I b) { return _mm512_add_epi32(a, b); }
  static I shift_left_23(I v) { return _mm512_slli_epi32(v, 23); }

  static F select_less(F a, F b, F x, F y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
  }
  static F keep_lanes(F v, int begin, int end, F other) {
    const auto keep = static_cast<__mmask16>(lanes_below(end) & ~lanes_below(begin));
    return _mm512_mask_blend_ps(keep, other, v);
  }

  static float reduce_add(F v) {
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
  }
  static float reduce_max(F v) {
    const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
  }
  static std::int32_t reduce_addi(I v) { return _mm512_reduce_add_epi32(v); }
  static float sqrt(float v) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(v))); }

  static std::int32_t max_abs_bits(const float* x) {
    const I mask = _mm512_set1_epi32(0x7fffffff);
    const I a = _mm512_and_si512(as_int(load(x)), mask);
    const I b = _mm512_and_si512(as_int(load(x + kLanes)), mask);
    return _mm512_reduce_max_epi32(_mm512_max_epi32(a, b));
  }
  static void store_bytes(std::int8_t* p, I v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
  }
  // x = 256 * high + low, both signed bytes: 32 high ones, then 32 low ones.
  static void store_words(std::int8_t* row, int i, I v) {
    const I high = _mm512_srai_epi32(_mm512_add_epi32(v, _mm512_set1_epi32(128)), 8);
    store_bytes(row + i, high);
    store_bytes(row + 32 + i, v);  // truncated to its lowest byte
  }

  template <int R>
  static void dot_4bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    const I nibble = _mm512_set1_epi8(15);
    for (int g = 0; g < 4; ++g) {
      const I both = _mm512_loadu_si512(w + 64 * g);
      const I low = _mm512_and_si512(both, nibble);
      const I high = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
      for (int r = 0; r < R; ++r) {
        acc[r] = _mm512_dpbusd_epi32(acc[r], low, four_bytes(x[r] + 4 * g));
        acc[r] = _mm512_dpbusd_epi32(acc[r], high, four_bytes(x[r] + 16 + 4 * g));
      }
    }
  }

  // acc[r] += 256 * (weights * high bytes) + weights * low bytes, at most 32 * 255 * 32639 and so
  // exact. Two sums a row, because with one the processor waits for it.
  template <int R>
  static void dot_4bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    const I nibble = _mm512_set1_epi8(15);
    I high[R];
    for (int r = 0; r < R; ++r) high[r] = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int g = 0; g < 4; ++g) {
      const I both = _mm512_loadu_si512(w + 64 * g);
      add_wide<R>(high, acc, _mm512_and_si512(both, nibble), x, g);
      add_wide<R>(high, acc, _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble), x, g + 4);
    }
    for (int r = 0; r < R; ++r) acc[r] = addi(acc[r], _mm512_slli_epi32(high[r], 8));
  }

  template <int R>
  static void dot_8bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    const I offset = _mm512_set1_epi8(-128);
    for (int g = 0; g < 8; ++g) {
      const I weights = _mm512_xor_si512(_mm512_loadu_si512(w + 64 * g), offset);
      for (int r = 0; r < R; ++r) {
        acc[r] = _mm512_dpbusd_epi32(acc[r], weights, four_bytes(x[r] + 4 * g));
      }
    }
  }

  template <int R>
  static void dot_8bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    const I offset = _mm512_set1_epi8(-128);
    I high[R];
    for (int r = 0; r < R; ++r) high[r] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
      add_wide<R>(high, acc, _mm512_xor_si512(_mm512_loadu_si512(w + 64 * g), offset), x, g);
    }
    for (int r = 0; r < R; ++r) acc[r] = addi(acc[r], _mm512_slli_epi32(high[r], 8));
  }

 private:
  // Four elements of sixteen columns, from element 4 * g on, times both bytes of the activations.
  template <int R>
  static void add_wide(I (&high)[R], I (&low)[R], I weights, const std::int8_t (*x)[64], int g) {
    for (int r = 0; r < R; ++r) {
      high[r] = _mm512_dpbusd_epi32(high[r], weights, four_bytes(x[r] + 4 * g));
      low[r] = _mm512_dpbusd_epi32(low[r], weights, four_bytes(x[r] + 32 + 4 * g));
    }
  }
  static __mmask16 lanes_below(int n) { return static_cast<__mmask16>((1U << n) - 1U); }
  static __m256i load_16x16(const std::uint16_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static I four_bytes(const std::int8_t* p) {
    std::int32_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return _mm512_set1_epi32(value);
  }
};

}  // namespace quire::kernels::simd
