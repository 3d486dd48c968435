#pragma once

#include <cstdint>
#include <cstring>

namespace quire::kernels::simd {

// Sixteen lanes in plain C++ (the vector types of GCC and clang, lowered to what the target has).
//
// This struct and its siblings Avx2 and Avx512 are the whole difference between the instruction
// sets: kernels are templates over them. Rules for code that includes them: it is compiled once for
// each set with that set's flags, so nothing in it may be an inline function that another file also
// emits (the linker would keep one copy, perhaps with instructions the machine lacks). Hence no
// standard library calls here, and every helper depends on the template parameter.
//
// max(a, b) and min(a, b) give b when either is NaN, as x86 does.
struct Portable {
  static constexpr int kLanes = 16;
  // Rows of activations that are multiplied at a time, and column tiles of a piece of work.
  static constexpr int kPanelRows = 2;
  static constexpr int kTileColumns = 4;
  // Column tiles side by side in registers for so many rows.
  static constexpr int side_by_side(int /*rows*/, bool /*quantized*/) { return 1; }
  // Registers of keys, and of value dimensions, that attention holds for each row.
  static constexpr int kAttentionVectors = 1;
  // What is added to an 8-bit weight before the dot product, to be taken out of the sum again.
  static constexpr int kByteOffset = 0;

  using F = float __attribute__((vector_size(64)));
  using I = std::int32_t __attribute__((vector_size(64)));
  using Half = std::uint16_t __attribute__((vector_size(32)));

  static F zero() { return F{}; }
  static F set1(float value) { return F{} + value; }
  static I set1i(std::int32_t value) { return I{} + value; }

  static F load(const float* p) {
    F v;
    std::memcpy(&v, p, sizeof(v));
    return v;
  }
  static F load_n(const float* p, int n) {
    F v{};
    std::memcpy(&v, p, static_cast<std::size_t>(n) * sizeof(float));
    return v;
  }
  static void store(float* p, F v) { std::memcpy(p, &v, sizeof(v)); }
  static void store_n(float* p, int n, F v) {
    std::memcpy(p, &v, static_cast<std::size_t>(n) * sizeof(float));
  }

  static F load_bf16(const std::uint16_t* p) {
    Half h;
    std::memcpy(&h, p, sizeof(h));
    return as_float(__builtin_convertvector(h, I) << 16);
  }
  static F load_i8(const std::int8_t* p) {
    F v;
    for (int i = 0; i < kLanes; ++i) v[i] = static_cast<float>(p[i]);
    return v;
  }
  static F load_f16(const std::uint16_t* p) {
    Half h;
    std::memcpy(&h, p, sizeof(h));
    const I bits = __builtin_convertvector(h, I);
    const I sign = (bits & 0x8000) << 16;
    const I magnitude = bits & 0x7fff;
    // Normal numbers only need their exponent moved; 2^112 does it, and is right for subnormals.
    const F finite = as_float(magnitude << 13) * 0x1p112F;
    const I special = as_int(finite) | 0x7f800000;
    const I is_special = magnitude >= 0x7c00;
    return as_float(sign | (is_special & special) | (~is_special & as_int(finite)));
  }

  // Values within the range of a half, or NaN; to nearest, ties to even.
  static void store_f16(std::uint16_t* p, F v) {
    const I sign = (as_int(v) >> 16) & 0x8000;
    const I bits = as_int(v) & 0x7fffffff;
    // Below the smallest normal half: adding a half floats the last bit to where it must end.
    const I subnormal = as_int(as_float(bits) + 0.5F) - 0x3f000000;
    const I normal = (bits - (112 << 23) + 0xfff + ((bits >> 13) & 1)) >> 13;
    const I is_small = bits < (113 << 23);
    const I is_nan = bits > 0x7f800000;
    const I finite = (is_small & subnormal) | (~is_small & normal);
    const I half = sign | (is_nan & (0x7e00 | ((bits >> 13) & 0x3ff))) | (~is_nan & finite);
    const Half narrow = __builtin_convertvector(half, Half);
    std::memcpy(p, &narrow, sizeof(narrow));
  }

  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F fma(F a, F b, F c) { return a * b + c; }
  static F max(F a, F b) { return a > b ? a : b; }
  static F min(F a, F b) { return a < b ? a : b; }
  static F to_float(I v) { return __builtin_convertvector(v, F); }
  static I to_int(F v) { return __builtin_convertvector(v, I); }  // integral values only
  static I as_int(F v) { return reinterpret_cast<I>(v); }
  static F as_float(I v) { return reinterpret_cast<F>(v); }
  static I addi(I a, I b) { return a + b; }
  static I shift_left_23(I v) { return v << 23; }

  // x where a < b, else y.
  static F select_less(F a, F b, F x, F y) { return a < b ? x : y; }
  // Lanes [begin, end) of v, `other` elsewhere.
  static F keep_lanes(F v, int begin, int end, F other) {
    const I lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const I keep = (lane >= begin) & (lane < end);
    return keep ? v : other;
  }

  // One fixed tree: halves are folded onto each other until one lane is left.
  static float reduce_add(F v) {
    float lane[kLanes];
    store(lane, v);
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) lane[i] = lane[i] + lane[i + width];
    }
    return lane[0];
  }
  static float reduce_max(F v) {
    float lane[kLanes];
    store(lane, v);
    for (int width = kLanes / 2; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i)
        lane[i] = lane[i] > lane[i + width] ? lane[i] : lane[i + width];
    }
    return lane[0];
  }
  static std::int32_t reduce_addi(I v) {
    std::int32_t sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += v[i];
    return sum;
  }
  static float sqrt(float v) { return __builtin_sqrtf(v); }

  // Largest |x| of 32 floats as its bit pattern: order of integers, so a NaN wins over everything.
  static std::int32_t max_abs_bits(const float* x) {
    I most{};
    for (int half = 0; half < 2; ++half) {
      const I bits = as_int(load(x + half * kLanes)) & 0x7fffffff;
      most = most > bits ? most : bits;
    }
    std::int32_t result = 0;
    for (int i = 0; i < kLanes; ++i) result = most[i] > result ? most[i] : result;
    return result;
  }
  // Sixteen integers in [-127, 127] as bytes.
  static void store_bytes(std::int8_t* p, I v) {
    for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(v[i]);
  }
  // Elements i to i + 15 of a row of 16-bit integers, in the layout that dot_*_wide() reads. Here
  // they are simply words, one after another.
  static void store_words(std::int8_t* row, int i, I v) {
    for (int j = 0; j < kLanes; ++j) {
      const auto word = static_cast<std::int16_t>(v[j]);
      std::memcpy(row + 2 * (i + j), &word, sizeof(word));
    }
  }

  // acc[r] += the dot products of 16 columns' 4-bit weights with 32 activations of row r, which are
  // bytes here and 16-bit integers in dot_4bit_wide().
  // w: [4][16 columns][4 bytes]; low nibbles are elements 4g + e, high ones 16 + 4g + e.
  template <int R>
  static void dot_4bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    for (int r = 0; r < R; ++r) add_4bit(acc[r], w, x[r]);
  }
  template <int R>
  static void dot_4bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    for (int r = 0; r < R; ++r) {
      std::int16_t words[32];
      std::memcpy(words, x[r], sizeof(words));
      add_4bit(acc[r], w, words);
    }
  }

  // The same with 8-bit weights; w: [8][16 columns][4 signed bytes].
  template <int R>
  static void dot_8bit(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    for (int r = 0; r < R; ++r) add_8bit(acc[r], w, x[r]);
  }
  template <int R>
  static void dot_8bit_wide(I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[64]) {
    for (int r = 0; r < R; ++r) {
      std::int16_t words[32];
      std::memcpy(words, x[r], sizeof(words));
      add_8bit(acc[r], w, words);
    }
  }

 private:
  template <typename T>
  static void add_4bit(I& acc, const std::uint8_t* w, const T* x) {
    for (int g = 0; g < 4; ++g, w += 64) {
      for (int c = 0; c < kLanes; ++c) {
        std::int32_t sum = 0;
        for (int e = 0; e < 4; ++e) {
          sum += (w[c * 4 + e] & 15) * x[4 * g + e];
          sum += (w[c * 4 + e] >> 4) * x[16 + 4 * g + e];
        }
        acc[c] += sum;
      }
    }
  }
  template <typename T>
  static void add_8bit(I& acc, const std::uint8_t* w, const T* x) {
    for (int g = 0; g < 8; ++g, w += 64) {
      for (int c = 0; c < kLanes; ++c) {
        std::int32_t sum = 0;
        for (int e = 0; e < 4; ++e) {
          sum += static_cast<std::int8_t>(w[c * 4 + e]) * x[4 * g + e];
        }
        acc[c] += sum;
      }
    }
  }
};

}  // namespace quire::kernels::simd
