#pragma once

#include <wasm_simd128.h>

#include <cstdint>

namespace quire::kernels::simd {

// Sixteen lanes in four registers of WebAssembly's fixed-width SIMD. Multiplies and adds apart,
// since the instruction set has no fused ones that are the same everywhere: the bits of Portable,
// in every browser. Products are those of i32x4.dot_i16x8_s, for the relaxed byte products may
// differ between a browser's own compilers, in the middle of an answer. See Portable for the rules.
struct Wasm128 {
  static constexpr int kLanes = 16;
  static constexpr int kPanelRows = 4;
  static constexpr int kTileColumns = 4;
  static constexpr int side_by_side(int /*rows*/, bool /*quantized*/) { return 1; }
  static constexpr int kAttentionVectors = 1;
  static constexpr int kByteOffset = 0;

  struct F {
    v128_t a, b, c, d;
  };
  struct I {
    v128_t a, b, c, d;
  };

  static F zero() { return set1(0.0F); }
  static F set1(float value) {
    const v128_t v = wasm_f32x4_splat(value);
    return {v, v, v, v};
  }
  static I set1i(std::int32_t value) {
    const v128_t v = wasm_i32x4_splat(value);
    return {v, v, v, v};
  }

  static F load(const float* p) {
    return {
        wasm_v128_load(p), wasm_v128_load(p + 4), wasm_v128_load(p + 8), wasm_v128_load(p + 12)};
  }
  static F load_n(const float* p, int n) {
    float lanes[kLanes] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static void store(float* p, F v) {
    wasm_v128_store(p, v.a);
    wasm_v128_store(p + 4, v.b);
    wasm_v128_store(p + 8, v.c);
    wasm_v128_store(p + 12, v.d);
  }
  static void store_n(float* p, int n, F v) {
    float lanes[kLanes];
    store(lanes, v);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  static F load_bf16(const std::uint16_t* p) {
    const I bits = load_u16(p);
    return {wasm_i32x4_shl(bits.a, 16),
            wasm_i32x4_shl(bits.b, 16),
            wasm_i32x4_shl(bits.c, 16),
            wasm_i32x4_shl(bits.d, 16)};
  }
  static F load_i8(const std::int8_t* p) {
    const v128_t bytes = wasm_v128_load(p);
    const v128_t lo = wasm_i16x8_extend_low_i8x16(bytes);
    const v128_t hi = wasm_i16x8_extend_high_i8x16(bytes);
    return to_float({wasm_i32x4_extend_low_i16x8(lo),
                     wasm_i32x4_extend_high_i16x8(lo),
                     wasm_i32x4_extend_low_i16x8(hi),
                     wasm_i32x4_extend_high_i16x8(hi)});
  }
  static F load_f16(const std::uint16_t* p) {
    const I bits = load_u16(p);
    return {
        half_to_float(bits.a), half_to_float(bits.b), half_to_float(bits.c), half_to_float(bits.d)};
  }
  // Values within the range of a half, or NaN; to nearest, ties to even.
  static void store_f16(std::uint16_t* p, F v) {
    wasm_v128_store(p, wasm_u16x8_narrow_i32x4(float_to_half(v.a), float_to_half(v.b)));
    wasm_v128_store(p + 8, wasm_u16x8_narrow_i32x4(float_to_half(v.c), float_to_half(v.d)));
  }

  static F add(F x, F y) {
    return {wasm_f32x4_add(x.a, y.a),
            wasm_f32x4_add(x.b, y.b),
            wasm_f32x4_add(x.c, y.c),
            wasm_f32x4_add(x.d, y.d)};
  }
  static F sub(F x, F y) {
    return {wasm_f32x4_sub(x.a, y.a),
            wasm_f32x4_sub(x.b, y.b),
            wasm_f32x4_sub(x.c, y.c),
            wasm_f32x4_sub(x.d, y.d)};
  }
  static F mul(F x, F y) {
    return {wasm_f32x4_mul(x.a, y.a),
            wasm_f32x4_mul(x.b, y.b),
            wasm_f32x4_mul(x.c, y.c),
            wasm_f32x4_mul(x.d, y.d)};
  }
  static F div(F x, F y) {
    return {wasm_f32x4_div(x.a, y.a),
            wasm_f32x4_div(x.b, y.b),
            wasm_f32x4_div(x.c, y.c),
            wasm_f32x4_div(x.d, y.d)};
  }
  static F fma(F x, F y, F z) { return add(mul(x, y), z); }
  // pmax(y, x) is "x where y < x, else y": y where either is a NaN.
  static F max(F x, F y) {
    return {wasm_f32x4_pmax(y.a, x.a),
            wasm_f32x4_pmax(y.b, x.b),
            wasm_f32x4_pmax(y.c, x.c),
            wasm_f32x4_pmax(y.d, x.d)};
  }
  static F min(F x, F y) {
    return {wasm_f32x4_pmin(y.a, x.a),
            wasm_f32x4_pmin(y.b, x.b),
            wasm_f32x4_pmin(y.c, x.c),
            wasm_f32x4_pmin(y.d, x.d)};
  }
  static F to_float(I v) {
    return {wasm_f32x4_convert_i32x4(v.a),
            wasm_f32x4_convert_i32x4(v.b),
            wasm_f32x4_convert_i32x4(v.c),
            wasm_f32x4_convert_i32x4(v.d)};
  }
  static I to_int(F v) {
    return {wasm_i32x4_trunc_sat_f32x4(v.a),
            wasm_i32x4_trunc_sat_f32x4(v.b),
            wasm_i32x4_trunc_sat_f32x4(v.c),
            wasm_i32x4_trunc_sat_f32x4(v.d)};
  }
  static I as_int(F v) { return {v.a, v.b, v.c, v.d}; }
  static F as_float(I v) { return {v.a, v.b, v.c, v.d}; }
  static I addi(I x, I y) {
    return {wasm_i32x4_add(x.a, y.a),
            wasm_i32x4_add(x.b, y.b),
            wasm_i32x4_add(x.c, y.c),
            wasm_i32x4_add(x.d, y.d)};
  }
  static I shift_left_23(I v) {
    return {wasm_i32x4_shl(v.a, 23),
            wasm_i32x4_shl(v.b, 23),
            wasm_i32x4_shl(v.c, 23),
            wasm_i32x4_shl(v.d, 23)};
  }

  static F select_less(F x, F y, F then, F otherwise) {
    return {wasm_v128_bitselect(then.a, otherwise.a, wasm_f32x4_lt(x.a, y.a)),
            wasm_v128_bitselect(then.b, otherwise.b, wasm_f32x4_lt(x.b, y.b)),
            wasm_v128_bitselect(then.c, otherwise.c, wasm_f32x4_lt(x.c, y.c)),
            wasm_v128_bitselect(then.d, otherwise.d, wasm_f32x4_lt(x.d, y.d))};
  }
  static F keep_lanes(F v, int begin, int end, F other) {
    return {wasm_v128_bitselect(v.a, other.a, inside(0, begin, end)),
            wasm_v128_bitselect(v.b, other.b, inside(4, begin, end)),
            wasm_v128_bitselect(v.c, other.c, inside(8, begin, end)),
            wasm_v128_bitselect(v.d, other.d, inside(12, begin, end))};
  }

  // The tree of Portable: halves folded onto each other.
  static float reduce_add(F v) {
    const v128_t four = wasm_f32x4_add(wasm_f32x4_add(v.a, v.c), wasm_f32x4_add(v.b, v.d));
    const v128_t two = wasm_f32x4_add(four, wasm_i32x4_shuffle(four, four, 2, 3, 2, 3));
    return wasm_f32x4_extract_lane(two, 0) + wasm_f32x4_extract_lane(two, 1);
  }
  static float reduce_max(F v) {
    const F two = max(v, {v.c, v.d, v.c, v.d});
    const F four = max(two, {two.b, two.b, two.b, two.b});
    float lane[4];
    wasm_v128_store(lane, four.a);
    const float even = lane[0] > lane[2] ? lane[0] : lane[2];
    const float odd = lane[1] > lane[3] ? lane[1] : lane[3];
    return even > odd ? even : odd;
  }
  static std::int32_t reduce_addi(I v) {
    std::int32_t lane[4];
    wasm_v128_store(lane, wasm_i32x4_add(wasm_i32x4_add(v.a, v.b), wasm_i32x4_add(v.c, v.d)));
    return lane[0] + lane[1] + lane[2] + lane[3];
  }
  static float sqrt(float v) { return __builtin_sqrtf(v); }

  static std::int32_t max_abs_bits(const float* x) {
    v128_t most = wasm_i32x4_splat(0);
    for (int i = 0; i < 2 * kLanes; i += 4) {
      const v128_t bits = wasm_v128_and(wasm_v128_load(x + i), wasm_i32x4_splat(0x7fffffff));
      most = wasm_i32x4_max(most, bits);
    }
    std::int32_t lane[4];
    wasm_v128_store(lane, most);
    std::int32_t result = 0;
    for (const std::int32_t each : lane) result = each > result ? each : result;
    return result;
  }
  static void store_bytes(std::int8_t* p, I v) {
    wasm_v128_store(p,
                    wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(v.a, v.b),
                                            wasm_i16x8_narrow_i32x4(v.c, v.d)));
  }
  // Words, of each four the even ones first: shifts and masks split weights so, too.
  static void store_words(std::int8_t* row, int i, I v) {
    const v128_t lo = wasm_i16x8_narrow_i32x4(v.a, v.b);
    const v128_t hi = wasm_i16x8_narrow_i32x4(v.c, v.d);
    wasm_v128_store(row + 2 * i, wasm_i16x8_shuffle(lo, lo, 0, 2, 1, 3, 4, 6, 5, 7));
    wasm_v128_store(row + 2 * i + 16, wasm_i16x8_shuffle(hi, hi, 0, 2, 1, 3, 4, 6, 5, 7));
  }

  template <int R>
  static void dot_4bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    for (int g = 0; g < 4; ++g) {
      Words low_even[R], low_odd[R], high_even[R], high_odd[R];
      for (int r = 0; r < R; ++r) {
        split_bytes(x[r] + 4 * g, low_even[r], low_odd[r]);
        split_bytes(x[r] + 16 + 4 * g, high_even[r], high_odd[r]);
      }
      add_nibbles<R>(acc, w + 64 * g, low_even, low_odd, high_even, high_odd);
    }
  }
  template <int R>
  static void dot_4bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    for (int g = 0; g < 4; ++g) {
      Words low_even[R], low_odd[R], high_even[R], high_odd[R];
      for (int r = 0; r < R; ++r) {
        low_even[r] = two_words(x[r] + 8 * g);
        low_odd[r] = two_words(x[r] + 8 * g + 4);
        high_even[r] = two_words(x[r] + 32 + 8 * g);
        high_odd[r] = two_words(x[r] + 32 + 8 * g + 4);
      }
      add_nibbles<R>(acc, w + 64 * g, low_even, low_odd, high_even, high_odd);
    }
  }
  template <int R>
  static void dot_8bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    for (int g = 0; g < 8; ++g) {
      Words even[R], odd[R];
      for (int r = 0; r < R; ++r) split_bytes(x[r] + 4 * g, even[r], odd[r]);
      add_bytes<R>(acc, w + 64 * g, even, odd);
    }
  }
  template <int R>
  static void dot_8bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    for (int g = 0; g < 8; ++g) {
      Words even[R], odd[R];
      for (int r = 0; r < R; ++r) {
        even[r] = two_words(x[r] + 8 * g);
        odd[r] = two_words(x[r] + 8 * g + 4);
      }
      add_bytes<R>(acc, w + 64 * g, even, odd);
    }
  }

 private:
  using Words = v128_t;  // two words of activations, in every lane

  static I load_u16(const std::uint16_t* p) {
    const v128_t lo = wasm_v128_load(p);
    const v128_t hi = wasm_v128_load(p + 8);
    return {wasm_u32x4_extend_low_u16x8(lo),
            wasm_u32x4_extend_high_u16x8(lo),
            wasm_u32x4_extend_low_u16x8(hi),
            wasm_u32x4_extend_high_u16x8(hi)};
  }
  // As Portable::load_f16 goes about it.
  static v128_t half_to_float(v128_t bits) {
    const v128_t sign = wasm_i32x4_shl(wasm_v128_and(bits, wasm_i32x4_splat(0x8000)), 16);
    const v128_t magnitude = wasm_v128_and(bits, wasm_i32x4_splat(0x7fff));
    const v128_t finite = wasm_f32x4_mul(wasm_i32x4_shl(magnitude, 13), wasm_f32x4_splat(0x1p112F));
    const v128_t special = wasm_v128_and(wasm_i32x4_ge(magnitude, wasm_i32x4_splat(0x7c00)),
                                         wasm_i32x4_splat(0x7f800000));
    return wasm_v128_or(sign, wasm_v128_or(finite, special));
  }
  // As Portable::store_f16 goes about it.
  static v128_t float_to_half(v128_t value) {
    const v128_t sign = wasm_v128_and(wasm_u32x4_shr(value, 16), wasm_i32x4_splat(0x8000));
    const v128_t bits = wasm_v128_and(value, wasm_i32x4_splat(0x7fffffff));
    const v128_t subnormal =
        wasm_i32x4_sub(wasm_f32x4_add(bits, wasm_f32x4_splat(0.5F)), wasm_i32x4_splat(0x3f000000));
    const v128_t odd = wasm_v128_and(wasm_i32x4_shr(bits, 13), wasm_i32x4_splat(1));
    const v128_t rounded =
        wasm_i32x4_add(wasm_i32x4_add(bits, wasm_i32x4_splat(0xfff - (112 << 23))), odd);
    const v128_t normal = wasm_i32x4_shr(rounded, 13);
    const v128_t is_small = wasm_i32x4_lt(bits, wasm_i32x4_splat(113 << 23));
    const v128_t is_nan = wasm_i32x4_gt(bits, wasm_i32x4_splat(0x7f800000));
    const v128_t payload = wasm_v128_and(wasm_i32x4_shr(bits, 13), wasm_i32x4_splat(0x3ff));
    const v128_t nan = wasm_v128_or(wasm_i32x4_splat(0x7e00), payload);
    const v128_t finite = wasm_v128_bitselect(subnormal, normal, is_small);
    return wasm_v128_or(sign, wasm_v128_bitselect(nan, finite, is_nan));
  }
  static v128_t inside(int first, int begin, int end) {
    const v128_t lane = wasm_i32x4_make(first, first + 1, first + 2, first + 3);
    return wasm_v128_and(wasm_i32x4_ge(lane, wasm_i32x4_splat(begin)),
                         wasm_i32x4_lt(lane, wasm_i32x4_splat(end)));
  }

  static Words two_words(const std::int8_t* p) { return wasm_v128_load32_splat(p); }
  // Of four bytes the first and third as words, then the others.
  static void split_bytes(const std::int8_t* p, Words& even, Words& odd) {
    const v128_t four = wasm_v128_load32_splat(p);
    even = wasm_i16x8_shr(wasm_i16x8_shl(four, 8), 8);
    odd = wasm_i16x8_shr(four, 8);
  }

  static v128_t add_pairs(v128_t acc, v128_t even, Words x_even, v128_t odd, Words x_odd) {
    acc = wasm_i32x4_add(acc, wasm_i32x4_dot_i16x8(even, x_even));
    return wasm_i32x4_add(acc, wasm_i32x4_dot_i16x8(odd, x_odd));
  }
  // Four columns' nibbles, as words.
  struct Nibbles {
    v128_t low_even, low_odd, high_even, high_odd;
  };
  static Nibbles load_nibbles(const std::uint8_t* w) {
    const v128_t both = wasm_v128_load(w);
    const v128_t nibble = wasm_i16x8_splat(15);
    return {wasm_v128_and(both, nibble),
            wasm_v128_and(wasm_u16x8_shr(both, 8), nibble),
            wasm_v128_and(wasm_u16x8_shr(both, 4), nibble),
            wasm_u16x8_shr(both, 12)};
  }
  template <int R>
  static void add_nibbles(I (&acc)[R],
                          const std::uint8_t* w,
                          const Words (&low_even)[R],
                          const Words (&low_odd)[R],
                          const Words (&high_even)[R],
                          const Words (&high_odd)[R]) {
    const auto add = [&](v128_t& sum, const Nibbles& n, int r) {
      sum = add_pairs(sum, n.low_even, low_even[r], n.low_odd, low_odd[r]);
      sum = add_pairs(sum, n.high_even, high_even[r], n.high_odd, high_odd[r]);
    };
    const Nibbles a = load_nibbles(w);
    for (int r = 0; r < R; ++r) add(acc[r].a, a, r);
    const Nibbles b = load_nibbles(w + 16);
    for (int r = 0; r < R; ++r) add(acc[r].b, b, r);
    const Nibbles c = load_nibbles(w + 32);
    for (int r = 0; r < R; ++r) add(acc[r].c, c, r);
    const Nibbles d = load_nibbles(w + 48);
    for (int r = 0; r < R; ++r) add(acc[r].d, d, r);
  }
  template <int R>
  static void add_bytes(I (&acc)[R],
                        const std::uint8_t* w,
                        const Words (&even)[R],
                        const Words (&odd)[R]) {
    const auto add = [&](v128_t& sum, v128_t both, int r) {
      const v128_t w_even = wasm_i16x8_shr(wasm_i16x8_shl(both, 8), 8);
      sum = add_pairs(sum, w_even, even[r], wasm_i16x8_shr(both, 8), odd[r]);
    };
    const v128_t a = wasm_v128_load(w);
    for (int r = 0; r < R; ++r) add(acc[r].a, a, r);
    const v128_t b = wasm_v128_load(w + 16);
    for (int r = 0; r < R; ++r) add(acc[r].b, b, r);
    const v128_t c = wasm_v128_load(w + 32);
    for (int r = 0; r < R; ++r) add(acc[r].c, c, r);
    const v128_t d = wasm_v128_load(w + 48);
    for (int r = 0; r < R; ++r) add(acc[r].d, d, r);
  }
};

}  // namespace quire::kernels::simd
