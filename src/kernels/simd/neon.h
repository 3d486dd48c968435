#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace quire::kernels::simd {

// Which byte products a 64-bit ARM processor has beyond the base set.
enum class ArmDots {
  kNone,     // ARMv8.0: a Raspberry Pi 4
  kDotProd,  // SDOT, four products a lane: a Raspberry Pi 5, phones since about 2018
  kI8mm,     // SMMLA besides, two by two sums of eight products: servers, phones since about 2021
};

// Sixteen lanes in four NEON registers, with fused multiply-adds: the same bits as Avx2 and Avx512.
// See Portable for the rules; a template so that no two files that differ in flags share a
// function.
template <ArmDots kDots>
struct Neon {
  static constexpr int kLanes = 16;
  static constexpr int kPanelRows = 4;
  static constexpr int kTileColumns = 4;
  static constexpr int side_by_side(int rows, bool quantized) {
    return rows == 1 && !quantized ? 2 : 1;
  }
  static constexpr int kAttentionVectors = 1;
  static constexpr int kByteOffset = 0;  // all of its products take signed bytes on both sides

  struct F {
    float32x4_t a, b, c, d;
  };
  struct I {
    int32x4_t a, b, c, d;
  };

  static F zero() { return set1(0.0F); }
  static F set1(float value) {
    const float32x4_t v = vdupq_n_f32(value);
    return {v, v, v, v};
  }
  static I set1i(std::int32_t value) {
    const int32x4_t v = vdupq_n_s32(value);
    return {v, v, v, v};
  }

  static F load(const float* p) {
    return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
  }
  static F load_n(const float* p, int n) {
    float lanes[kLanes] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static void store(float* p, F v) {
    vst1q_f32(p, v.a);
    vst1q_f32(p + 4, v.b);
    vst1q_f32(p + 8, v.c);
    vst1q_f32(p + 12, v.d);
  }
  static void store_n(float* p, int n, F v) {
    float lanes[kLanes];
    store(lanes, v);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  static F load_bf16(const std::uint16_t* p) {
    const uint16x8_t lo = vld1q_u16(p);
    const uint16x8_t hi = vld1q_u16(p + 8);
    return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(lo), 16)),
            vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(lo), 16)),
            vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(hi), 16)),
            vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(hi), 16))};
  }
  static F load_i8(const std::int8_t* p) {
    const int8x16_t bytes = vld1q_s8(p);
    const int16x8_t lo = vmovl_s8(vget_low_s8(bytes));
    const int16x8_t hi = vmovl_s8(vget_high_s8(bytes));
    return to_float({vmovl_s16(vget_low_s16(lo)),
                     vmovl_s16(vget_high_s16(lo)),
                     vmovl_s16(vget_low_s16(hi)),
                     vmovl_s16(vget_high_s16(hi))});
  }
  // Conversions between half and single are in the base set; arithmetic on halves is not used.
  static F load_f16(const std::uint16_t* p) {
    const uint16x8_t lo = vld1q_u16(p);
    const uint16x8_t hi = vld1q_u16(p + 8);
    return {vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(lo))),
            vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(lo))),
            vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(hi))),
            vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(hi)))};
  }
  static void store_f16(std::uint16_t* p, F v) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v.a)));
    vst1_u16(p + 4, vreinterpret_u16_f16(vcvt_f16_f32(v.b)));
    vst1_u16(p + 8, vreinterpret_u16_f16(vcvt_f16_f32(v.c)));
    vst1_u16(p + 12, vreinterpret_u16_f16(vcvt_f16_f32(v.d)));
  }

  static F add(F x, F y) {
    return each(x, y, [](auto s, auto t) { return vaddq_f32(s, t); });
  }
  static F sub(F x, F y) {
    return each(x, y, [](auto s, auto t) { return vsubq_f32(s, t); });
  }
  static F mul(F x, F y) {
    return each(x, y, [](auto s, auto t) { return vmulq_f32(s, t); });
  }
  static F div(F x, F y) {
    return each(x, y, [](auto s, auto t) { return vdivq_f32(s, t); });
  }
  static F fma(F x, F y, F z) {
    return {vfmaq_f32(z.a, x.a, y.a),
            vfmaq_f32(z.b, x.b, y.b),
            vfmaq_f32(z.c, x.c, y.c),
            vfmaq_f32(z.d, x.d, y.d)};
  }
  // FMAX and FMIN would give the NaN, and order zeros by sign.
  static F max(F x, F y) {
    return each(x, y, [](auto s, auto t) { return vbslq_f32(vcgtq_f32(s, t), s, t); });
  }
  static F min(F x, F y) {
    return each(x, y, [](auto s, auto t) { return vbslq_f32(vcltq_f32(s, t), s, t); });
  }
  static F to_float(I v) {
    return {vcvtq_f32_s32(v.a), vcvtq_f32_s32(v.b), vcvtq_f32_s32(v.c), vcvtq_f32_s32(v.d)};
  }
  static I to_int(F v) {
    return {vcvtnq_s32_f32(v.a), vcvtnq_s32_f32(v.b), vcvtnq_s32_f32(v.c), vcvtnq_s32_f32(v.d)};
  }
  static I as_int(F v) {
    return {vreinterpretq_s32_f32(v.a),
            vreinterpretq_s32_f32(v.b),
            vreinterpretq_s32_f32(v.c),
            vreinterpretq_s32_f32(v.d)};
  }
  static F as_float(I v) {
    return {vreinterpretq_f32_s32(v.a),
            vreinterpretq_f32_s32(v.b),
            vreinterpretq_f32_s32(v.c),
            vreinterpretq_f32_s32(v.d)};
  }
  static I addi(I x, I y) {
    return {vaddq_s32(x.a, y.a), vaddq_s32(x.b, y.b), vaddq_s32(x.c, y.c), vaddq_s32(x.d, y.d)};
  }
  static I shift_left_23(I v) { return shift_left<23>(v); }

  static F select_less(F x, F y, F then, F otherwise) {
    return {vbslq_f32(vcltq_f32(x.a, y.a), then.a, otherwise.a),
            vbslq_f32(vcltq_f32(x.b, y.b), then.b, otherwise.b),
            vbslq_f32(vcltq_f32(x.c, y.c), then.c, otherwise.c),
            vbslq_f32(vcltq_f32(x.d, y.d), then.d, otherwise.d)};
  }
  static F keep_lanes(F v, int begin, int end, F other) {
    return {vbslq_f32(inside(0, begin, end), v.a, other.a),
            vbslq_f32(inside(4, begin, end), v.b, other.b),
            vbslq_f32(inside(8, begin, end), v.c, other.c),
            vbslq_f32(inside(12, begin, end), v.d, other.d)};
  }

  // The tree of Portable: halves folded onto each other.
  static float reduce_add(F v) {
    const float32x4_t four = vaddq_f32(vaddq_f32(v.a, v.c), vaddq_f32(v.b, v.d));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  static float reduce_max(F v) {
    const F two = max(v, {v.c, v.d, v.c, v.d});
    const F four = max(two, {two.b, two.b, two.b, two.b});
    float lane[4];
    vst1q_f32(lane, four.a);
    const float even = lane[0] > lane[2] ? lane[0] : lane[2];
    const float odd = lane[1] > lane[3] ? lane[1] : lane[3];
    return even > odd ? even : odd;
  }
  static std::int32_t reduce_addi(I v) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(v.a, v.b), vaddq_s32(v.c, v.d)));
  }
  static float sqrt(float v) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(v)), 0); }

  static std::int32_t max_abs_bits(const float* x) {
    int32x4_t most = vdupq_n_s32(0);
    for (int i = 0; i < 2 * kLanes; i += 4) {
      const int32x4_t bits = vreinterpretq_s32_f32(vld1q_f32(x + i));
      most = vmaxq_s32(most, vandq_s32(bits, vdupq_n_s32(0x7fffffff)));
    }
    return vmaxvq_s32(most);
  }
  static void store_bytes(std::int8_t* p, I v) { vst1q_s8(p, low_bytes(v)); }
  // x = 256 * high + low, both signed bytes: for SMMLA eight high ones, then their low ones, and
  // so on; otherwise 32 high ones, then 32 low ones.
  static void store_words(std::int8_t* row, int i, I v) {
    const int8x16_t low = low_bytes(v);
    const int8x16_t high = low_bytes(high_bytes(v));
    if constexpr (kDots == ArmDots::kI8mm) {
      vst1q_s8(row + 2 * i, vcombine_s8(vget_low_s8(high), vget_low_s8(low)));
      vst1q_s8(row + 2 * i + 16, vcombine_s8(vget_high_s8(high), vget_high_s8(low)));
    } else {
      vst1q_s8(row + i, high);
      vst1q_s8(row + 32 + i, low);
    }
  }

  template <int R>
  static void dot_4bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    if constexpr (kDots == ArmDots::kI8mm && R > 1) {
      multiply_pairs<true, R>(acc, w, x);
    } else {
      for (int g = 0; g < 4; ++g, w += 64) {
        const Bytes low = low_nibbles(w);
        const Bytes high = high_nibbles(w);
        for (int r = 0; r < R; ++r) {
          add_products(acc[r], low, x[r] + 4 * g, high, x[r] + 16 + 4 * g);
        }
      }
    }
  }
  template <int R>
  static void dot_8bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    if constexpr (kDots == ArmDots::kI8mm && R > 1) {
      multiply_pairs<false, R>(acc, w, x);
    } else {
      for (int g = 0; g < 8; ++g, w += 64) {
        const Bytes weights = load_bytes(w);
        for (int r = 0; r < R; ++r) add_products(acc[r], weights, x[r] + 4 * g);
      }
    }
  }

  // acc += 256 * (weights * high bytes) + weights * low bytes: exact in 32 bits.
  template <int R>
  static void dot_4bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    if constexpr (kDots == ArmDots::kI8mm) {
      multiply_wide<true, R>(acc, w, x);
    } else {
      I high[R];
      for (int r = 0; r < R; ++r) high[r] = set1i(0);
      for (int g = 0; g < 4; ++g, w += 64) {
        const Bytes low_half = low_nibbles(w);
        const Bytes high_half = high_nibbles(w);
        for (int r = 0; r < R; ++r) {
          const std::int8_t* from = x[r] + 4 * g;
          add_products(high[r], low_half, from, high_half, from + 16);
          add_products(acc[r], low_half, from + 32, high_half, from + 48);
        }
      }
      for (int r = 0; r < R; ++r) acc[r] = addi(acc[r], shift_left<8>(high[r]));
    }
  }
  template <int R>
  static void dot_8bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    if constexpr (kDots == ArmDots::kI8mm) {
      multiply_wide<false, R>(acc, w, x);
    } else {
      I high[R];
      for (int r = 0; r < R; ++r) high[r] = set1i(0);
      for (int g = 0; g < 8; ++g, w += 64) {
        const Bytes weights = load_bytes(w);
        for (int r = 0; r < R; ++r) {
          add_products(high[r], weights, x[r] + 4 * g);
          add_products(acc[r], weights, x[r] + 32 + 4 * g);
        }
      }
      for (int r = 0; r < R; ++r) acc[r] = addi(acc[r], shift_left<8>(high[r]));
    }
  }

 private:
  // Sixteen columns of four bytes.
  struct Bytes {
    int8x16_t a, b, c, d;
  };

  template <typename Op>
  static F each(F x, F y, Op op) {
    return {op(x.a, y.a), op(x.b, y.b), op(x.c, y.c), op(x.d, y.d)};
  }
  template <int kBits>
  static I shift_left(I v) {
    return {vshlq_n_s32(v.a, kBits),
            vshlq_n_s32(v.b, kBits),
            vshlq_n_s32(v.c, kBits),
            vshlq_n_s32(v.d, kBits)};
  }
  static uint32x4_t inside(int first, int begin, int end) {
    const std::int32_t ramp[4] = {first, first + 1, first + 2, first + 3};
    const int32x4_t lane = vld1q_s32(ramp);
    return vandq_u32(vcgeq_s32(lane, vdupq_n_s32(begin)), vcltq_s32(lane, vdupq_n_s32(end)));
  }
  // The lowest byte of each integer.
  static int8x16_t low_bytes(I v) {
    const int16x8_t lo = vcombine_s16(vmovn_s32(v.a), vmovn_s32(v.b));
    const int16x8_t hi = vcombine_s16(vmovn_s32(v.c), vmovn_s32(v.d));
    return vcombine_s8(vmovn_s16(lo), vmovn_s16(hi));
  }
  static I high_bytes(I v) {
    const I rounded = addi(v, set1i(128));
    return {vshrq_n_s32(rounded.a, 8),
            vshrq_n_s32(rounded.b, 8),
            vshrq_n_s32(rounded.c, 8),
            vshrq_n_s32(rounded.d, 8)};
  }

  static Bytes load_bytes(const std::uint8_t* p) {
    return {vreinterpretq_s8_u8(vld1q_u8(p)),
            vreinterpretq_s8_u8(vld1q_u8(p + 16)),
            vreinterpretq_s8_u8(vld1q_u8(p + 32)),
            vreinterpretq_s8_u8(vld1q_u8(p + 48))};
  }
  static int8x16_t low_nibble(const std::uint8_t* p) {
    return vreinterpretq_s8_u8(vandq_u8(vld1q_u8(p), vdupq_n_u8(15)));
  }
  static int8x16_t high_nibble(const std::uint8_t* p) {
    return vreinterpretq_s8_u8(vshrq_n_u8(vld1q_u8(p), 4));
  }
  static Bytes low_nibbles(const std::uint8_t* p) {
    return {low_nibble(p), low_nibble(p + 16), low_nibble(p + 32), low_nibble(p + 48)};
  }
  static Bytes high_nibbles(const std::uint8_t* p) {
    return {high_nibble(p), high_nibble(p + 16), high_nibble(p + 32), high_nibble(p + 48)};
  }
  static int8x16_t four_bytes(const std::int8_t* p) {
    std::int32_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return vreinterpretq_s8_s32(vdupq_n_s32(value));
  }

  // Four columns' sums of four products each. Without SDOT a sum of two products, 128 * 128 twice,
  // would not fit 16 bits, so they are widened first.
  static int32x4_t dot(int32x4_t acc, int8x16_t w, int8x16_t x) {
    if constexpr (kDots == ArmDots::kNone) {
      const int32x4_t lo = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)));
      const int32x4_t hi = vpaddlq_s16(vmull_high_s8(w, x));
      return vaddq_s32(acc, vpaddq_s32(lo, hi));
    } else {
      return vdotq_s32(acc, w, x);
    }
  }
  static void add_products(I& acc, Bytes w, const std::int8_t* x) {
    const int8x16_t four = four_bytes(x);
    acc.a = dot(acc.a, w.a, four);
    acc.b = dot(acc.b, w.b, four);
    acc.c = dot(acc.c, w.c, four);
    acc.d = dot(acc.d, w.d, four);
  }
  // Two groups of four products a column, of nibbles: four of 15 * 128 fit 16 bits.
  static int32x4_t dot_nibbles(
      int32x4_t acc, int8x16_t w, int8x16_t x, int8x16_t w2, int8x16_t x2) {
    if constexpr (kDots == ArmDots::kNone) {
      const int16x8_t lo =
          vmlal_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), vget_low_s8(w2), vget_low_s8(x2));
      const int16x8_t hi = vmlal_high_s8(vmull_high_s8(w, x), w2, x2);
      return vpadalq_s16(acc, vpaddq_s16(lo, hi));
    } else {
      return vdotq_s32(vdotq_s32(acc, w, x), w2, x2);
    }
  }
  static void add_products(I& acc, Bytes w, const std::int8_t* x, Bytes w2, const std::int8_t* x2) {
    const int8x16_t four = four_bytes(x);
    const int8x16_t more = four_bytes(x2);
    acc.a = dot_nibbles(acc.a, w.a, four, w2.a, more);
    acc.b = dot_nibbles(acc.b, w.b, four, w2.b, more);
    acc.c = dot_nibbles(acc.c, w.c, four, w2.c, more);
    acc.d = dot_nibbles(acc.d, w.d, four, w2.d, more);
  }

  // What SMMLA sums: two columns times two rows a register, eight registers for sixteen columns.
  struct Pairs {
    int32x4_t sum[8];
  };
  static int8x16_t zip_low(int8x16_t x, int8x16_t y) {
    return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(x), vreinterpretq_s32_s8(y)));
  }
  static int8x16_t zip_high(int8x16_t x, int8x16_t y) {
    return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(x), vreinterpretq_s32_s8(y)));
  }
  // Elements 8q to 8q + 7 of sixteen columns, two columns a register.
  template <bool kFourBit>
  static void eight_elements(const std::uint8_t* w, int q, int8x16_t (&out)[8]) {
    const std::uint8_t* from = kFourBit ? w + 128 * (q % 2) : w + 128 * q;
    const bool upper = kFourBit && q >= 2;
    const Bytes x = !kFourBit ? load_bytes(from) : upper ? high_nibbles(from) : low_nibbles(from);
    const Bytes y = !kFourBit ? load_bytes(from + 64)
                    : upper   ? high_nibbles(from + 64)
                              : low_nibbles(from + 64);
    const Bytes lo = {zip_low(x.a, y.a), zip_low(x.b, y.b), zip_low(x.c, y.c), zip_low(x.d, y.d)};
    const Bytes hi = {
        zip_high(x.a, y.a), zip_high(x.b, y.b), zip_high(x.c, y.c), zip_high(x.d, y.d)};
    const int8x16_t all[8] = {lo.a, hi.a, lo.b, hi.b, lo.c, hi.c, lo.d, hi.d};
    for (int i = 0; i < 8; ++i) out[i] = all[i];
  }
  static I even_rows(const Pairs& p) {
    return {vuzp1q_s32(p.sum[0], p.sum[1]),
            vuzp1q_s32(p.sum[2], p.sum[3]),
            vuzp1q_s32(p.sum[4], p.sum[5]),
            vuzp1q_s32(p.sum[6], p.sum[7])};
  }
  static I odd_rows(const Pairs& p) {
    return {vuzp2q_s32(p.sum[0], p.sum[1]),
            vuzp2q_s32(p.sum[2], p.sum[3]),
            vuzp2q_s32(p.sum[4], p.sum[5]),
            vuzp2q_s32(p.sum[6], p.sum[7])};
  }

  // Rows two by two; the last of an odd number with itself.
  template <bool kFourBit, int R>
  static void multiply_pairs(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    constexpr int kPairs = (R + 1) / 2;
    Pairs pairs[kPairs] = {};
    for (int q = 0; q < 4; ++q) {
      int8x16_t weights[8];
      eight_elements<kFourBit>(w, q, weights);
      for (int p = 0; p < kPairs; ++p) {
        const int other = 2 * p + 1 < R ? 2 * p + 1 : 2 * p;
        const int8x16_t rows = vcombine_s8(vld1_s8(x[2 * p] + 8 * q), vld1_s8(x[other] + 8 * q));
        for (int i = 0; i < 8; ++i) {
          pairs[p].sum[i] = vmmlaq_s32(pairs[p].sum[i], weights[i], rows);
        }
      }
    }
    for (int r = 0; r < R; ++r) {
      acc[r] = addi(acc[r], r % 2 == 0 ? even_rows(pairs[r / 2]) : odd_rows(pairs[r / 2]));
    }
  }
  // The high and the low bytes of a row are the pair.
  template <bool kFourBit, int R>
  static void multiply_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    Pairs pairs[R] = {};
    for (int q = 0; q < 4; ++q) {
      int8x16_t weights[8];
      eight_elements<kFourBit>(w, q, weights);
      for (int r = 0; r < R; ++r) {
        const int8x16_t both = vld1q_s8(x[r] + 16 * q);
        for (int i = 0; i < 8; ++i) {
          pairs[r].sum[i] = vmmlaq_s32(pairs[r].sum[i], weights[i], both);
        }
      }
    }
    for (int r = 0; r < R; ++r) {
      acc[r] = addi(acc[r], addi(shift_left<8>(even_rows(pairs[r])), odd_rows(pairs[r])));
    }
  }
};

}  // namespace quire::kernels::simd
