#pragma once

#include <immintrin.h>

#include <cstdint>

namespace quire::kernels::simd {

// Sixteen lanes in two AVX2 registers, with FMA and F16C. See Portable for the rules.
struct Avx2 {
  static constexpr int kLanes = 16;
  static constexpr int kPanelRows = 4;
  static constexpr int kTileColumns = 4;
  static constexpr int side_by_side(int rows, bool quantized) {
    return rows == 1 && !quantized ? 4 : 1;
  }
  static constexpr int kAttentionVectors = 1;
  static constexpr int kByteOffset = 0;

  struct F {
    __m256 lo, hi;
  };
  struct I {
    __m256i lo, hi;
  };

  static F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F set1(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
  static I set1i(std::int32_t v) { return {_mm256_set1_epi32(v), _mm256_set1_epi32(v)}; }

  static F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F load_n(const float* p, int n) {
    return {_mm256_maskload_ps(p, below(n).lo), _mm256_maskload_ps(p + 8, below(n).hi)};
  }
  static void store(float* p, F v) {
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
  }
  static void store_n(float* p, int n, F v) {
    _mm256_maskstore_ps(p, below(n).lo, v.lo);
    _mm256_maskstore_ps(p + 8, below(n).hi, v.hi);
  }
  static F load_bf16(const std::uint16_t* p) {
    return as_float({_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_8x16(p)), 16),
                     _mm256_slli_epi32(_mm256_cvtepu16_epi32(load_8x16(p + 8)), 16)});
  }
  static F load_i8(const std::int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
  }
  static F load_f16(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(load_8x16(p)), _mm256_cvtph_ps(load_8x16(p + 8))};
  }
  static void store_f16(std::uint16_t* p, F v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm256_cvtps_ph(v.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                     _mm256_cvtps_ph(v.hi, _MM_FROUND_TO_NEAREST_INT));
  }

  static F add(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static F sub(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  static F mul(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static F div(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static F fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static F max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static F min(F a, F b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
  static F to_float(I v) { return {_mm256_cvtepi32_ps(v.lo), _mm256_cvtepi32_ps(v.hi)}; }
  static I to_int(F v) { return {_mm256_cvtps_epi32(v.lo), _mm256_cvtps_epi32(v.hi)}; }
  static I as_int(F v) { return {_mm256_castps_si256(v.lo), _mm256_castps_si256(v.hi)}; }
  static F as_float(I v) { return {_mm256_castsi256_ps(v.lo), _mm256_castsi256_ps(v.hi)}; }
  static I addi(I a, I b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
  static I shift_left_23(I v) { return {_mm256_slli_epi32(v.lo, 23), _mm256_slli_epi32(v.hi, 23)}; }

  static F select_less(F a, F b, F x, F y) {
    return {_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
            _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
  }
  static F keep_lanes(F v, int begin, int end, F other) {
    const I above = below(begin);
    const I inside = below(end);
    const F keep = as_float(
        {_mm256_andnot_si256(above.lo, inside.lo), _mm256_andnot_si256(above.hi, inside.hi)});
    return {_mm256_blendv_ps(other.lo, v.lo, keep.lo), _mm256_blendv_ps(other.hi, v.hi, keep.hi)};
  }

  static float reduce_add(F v) {
    const __m256 a = _mm256_add_ps(v.lo, v.hi);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
  }
  static float reduce_max(F v) {
    const __m256 a = _mm256_max_ps(v.lo, v.hi);
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
  }
  static std::int32_t reduce_addi(I v) {
    const __m256i a = _mm256_add_epi32(v.lo, v.hi);
    __m128i b = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_add_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
  }
  static float sqrt(float v) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(v))); }

  static std::int32_t max_abs_bits(const float* x) {
    const I a = as_int(load(x));
    const I b = as_int(load(x + kLanes));
    const __m256i mask = _mm256_set1_epi32(0x7fffffff);
    const __m256i p = _mm256_max_epi32(_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask));
    const __m256i q = _mm256_max_epi32(_mm256_and_si256(b.lo, mask), _mm256_and_si256(b.hi, mask));
    const __m256i m = _mm256_max_epi32(p, q);
    __m128i n = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
    n = _mm_max_epi32(n, _mm_shuffle_epi32(n, 0x4e));
    n = _mm_max_epi32(n, _mm_shuffle_epi32(n, 0xb1));
    return _mm_cvtsi128_si32(n);
  }
  static void store_bytes(std::int8_t* p, I v) {
    const __m256i ordered = pack_words(v);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(p),
        _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
  }

  // Words, of each four the even ones first: shifts and masks split weights so, too.
  static void store_words(std::int8_t* row, int i, I v) {
    const __m256i order = _mm256_setr_epi8(0,
                                           1,
                                           4,
                                           5,
                                           2,
                                           3,
                                           6,
                                           7,
                                           8,
                                           9,
                                           12,
                                           13,
                                           10,
                                           11,
                                           14,
                                           15,
                                           0,
                                           1,
                                           4,
                                           5,
                                           2,
                                           3,
                                           6,
                                           7,
                                           8,
                                           9,
                                           12,
                                           13,
                                           10,
                                           11,
                                           14,
                                           15);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + 2 * i),
                        _mm256_shuffle_epi8(pack_words(v), order));
  }

  template <int R>
  static void dot_4bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    for (int r = 0; r < R; ++r) {
      acc[r].lo = dot_4bit_half(acc[r].lo, w, x[r]);
      acc[r].hi = dot_4bit_half(acc[r].hi, w + 32, x[r]);
    }
  }

  template <int R>
  static void dot_8bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    for (int r = 0; r < R; ++r) {
      acc[r].lo = dot_8bit_half(acc[r].lo, w, x[r]);
      acc[r].hi = dot_8bit_half(acc[r].hi, w + 32, x[r]);
    }
  }

  template <int R>
  static void dot_4bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    const __m256i nibble = _mm256_set1_epi16(15);
    for (int g = 0; g < 4; ++g) {
      for (int half = 0; half < 2; ++half) {
        const __m256i both = load_bytes(w + 64 * g + 32 * half);
        const __m256i parts[4] = {_mm256_and_si256(both, nibble),
                                  _mm256_and_si256(_mm256_srli_epi16(both, 8), nibble),
                                  _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble),
                                  _mm256_srli_epi16(both, 12)};
        for (int r = 0; r < R; ++r) {
          __m256i& sum = half == 0 ? acc[r].lo : acc[r].hi;
          sum = add_pairs(sum, parts[0], parts[1], x[r] + 8 * g);
          sum = add_pairs(sum, parts[2], parts[3], x[r] + 32 + 8 * g);
        }
      }
    }
  }

  template <int R>
  static void dot_8bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    for (int g = 0; g < 8; ++g) {
      for (int half = 0; half < 2; ++half) {
        const __m256i both = load_bytes(w + 64 * g + 32 * half);
        const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(both, 8), 8);
        const __m256i odd = _mm256_srai_epi16(both, 8);
        for (int r = 0; r < R; ++r) {
          __m256i& sum = half == 0 ? acc[r].lo : acc[r].hi;
          sum = add_pairs(sum, even, odd, x[r] + 8 * g);
        }
      }
    }
  }

 private:
  static I below(int n) {
    const __m256i count = _mm256_set1_epi32(n);
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {_mm256_cmpgt_epi32(count, lane),
            _mm256_cmpgt_epi32(count, _mm256_add_epi32(lane, _mm256_set1_epi32(8)))};
  }
  static __m128i load_8x16(const std::uint16_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  static __m256i load_bytes(const std::uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static __m256i four_bytes(const std::int8_t* p) {
    std::int32_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return _mm256_set1_epi32(value);
  }
  // Sixteen integers as words, in order.
  static __m256i pack_words(I v) {
    // packs works inside 128-bit halves; put the 64-bit quarters back in order.
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(v.lo, v.hi), 0xd8);
  }
  // Four words of activations, as store_words() orders them, times the weights of eight columns.
  static __m256i add_pairs(__m256i acc, __m256i even, __m256i odd, const std::int8_t* x) {
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(even, four_bytes(x)));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(odd, four_bytes(x + 4)));
  }
  // A pair of products is at most 2 * 15 * 127; eight of them fit 16 bits, so nothing saturates.
  static __m256i dot_4bit_half(__m256i acc, const std::uint8_t* w, const std::int8_t* x) {
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i sum = _mm256_setzero_si256();
    for (int g = 0; g < 4; ++g) {
      const __m256i both = load_bytes(w + 64 * g);
      const __m256i low = _mm256_and_si256(both, nibble);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble);
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(low, four_bytes(x + 4 * g)));
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(high, four_bytes(x + 16 + 4 * g)));
    }
    return _mm256_add_epi32(acc, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
  }
  // |w| <= 128 and |x| <= 127: a pair is at most 2 * 128 * 127 = 32512 and just fits 16 bits.
  static __m256i dot_8bit_half(__m256i acc, const std::uint8_t* w, const std::int8_t* x) {
    for (int g = 0; g < 8; ++g) {
      const __m256i weights = load_bytes(w + 64 * g);
      const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights),
                                                 _mm256_sign_epi8(four_bytes(x + 4 * g), weights));
      acc = _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    return acc;
  }
};

}  // namespace quire::kernels::simd
