#pragma once

#include "kernels/attention_call.h"
#include "kernels/kernel_table.h"

// Included by one file for each instruction set; see simd/portable.h for the rules of such code.
namespace quire::kernels {

struct Float16 {
  std::uint16_t bits;
};
struct Bfloat16 {
  std::uint16_t bits;
};

struct Int8 {
  std::int8_t value;
};

// Whether a head's elements are followed by one float32 scale a token.
template <typename T>
constexpr bool kHasScales = __is_same(T, Int8);

// Elements from one head of a block to the next.
template <typename T>
std::int64_t head_stride(const AttentionCall& call) {
  const std::int64_t elements = call.padded_dim * call.block_size;
  if constexpr (!kHasScales<T>) return elements;
  return elements + call.block_size * static_cast<std::int64_t>(sizeof(float));
}

// The scales of a head whose elements begin at `head`.
template <typename T, typename U>
U* scales_of(const AttentionCall& call, T* head) {
  return reinterpret_cast<U*>(head + call.padded_dim * call.block_size);
}

// Reading and writing sixteen cache elements of type T.
template <typename V, typename T>
struct CacheElement;

template <typename V>
struct CacheElement<V, Int8> {
  static typename V::F load(const Int8* p) { return V::load_i8(&p->value); }
};

template <typename V>
struct CacheElement<V, float> {
  static typename V::F load(const float* p) { return V::load(p); }
  static void store(float* p, typename V::F v) { V::store(p, v); }
};

template <typename V>
struct CacheElement<V, Float16> {
  static typename V::F load(const Float16* p) { return V::load_f16(&p->bits); }
  // The order of arguments lets a NaN through.
  static void store(Float16* p, typename V::F v) {
    V::store_f16(&p->bits, V::min(V::set1(65504.0F), V::max(V::set1(-65504.0F), v)));
  }
};

template <typename V>
struct CacheElement<V, Bfloat16> {
  static typename V::F load(const Bfloat16* p) { return V::load_bf16(&p->bits); }
  static void store(Bfloat16* p, typename V::F v) {
    const float most = __builtin_bit_cast(float, 0x7f7f0000);
    float lanes[V::kLanes];
    V::store(lanes, V::min(V::set1(most), V::max(V::set1(-most), v)));
    for (int i = 0; i < V::kLanes; ++i) p[i].bits = rounded(lanes[i]);
  }
  // A NaN keeps its upper half, with the quiet bit set.
  static std::uint16_t rounded(float value) {
    const auto bits = __builtin_bit_cast(std::uint32_t, value);
    if ((bits & 0x7fffffffU) > 0x7f800000U) {
      return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
    }
    return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
  }
};

// Encodes `count` elements, padded with zeros to whole registers, and returns their scale. A NaN
// makes the scale a NaN, and what is infinite counts as the largest number.
inline float encode_int8(const float* from, std::int64_t count, std::int64_t padded, Int8* to) {
  constexpr float kMost = 3.4028235e38F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number, to even
  float largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float magnitude = from[i] < 0 ? -from[i] : from[i];
    // The comparison is false for a NaN, which then stays.
    if (!(magnitude <= largest)) largest = magnitude;
    if (largest != largest) break;
  }
  const bool nan = largest != largest;
  if (largest > kMost) largest = kMost;
  const float inverse = nan || largest == 0 ? 0 : 127.0F / largest;
  for (std::int64_t i = 0; i < padded; ++i) {
    float x = i < count && !nan ? from[i] * inverse : 0;
    x = x > 127.0F ? 127.0F : x;
    x = x < -127.0F ? -127.0F : x;
    to[i].value = static_cast<std::int8_t>((x + kRound) - kRound);
  }
  return nan ? largest : largest / 127.0F;
}

// Encodes `count` elements; `to` is padded to whole registers, with zeros.
template <typename V, typename T>
void encode_row(const float* from, std::int64_t count, T* to) {
  for (std::int64_t i = 0; i < count; i += V::kLanes) {
    const std::int64_t left = count - i;
    const int lanes = left < V::kLanes ? static_cast<int>(left) : V::kLanes;
    CacheElement<V, T>::store(to + i, V::load_n(from + i, lanes));
  }
}

// Writes the head at x, rotated for `position` and times `scale`, to y.
template <typename V>
void rotate_head(
    const AttentionCall& call, const float* x, std::int64_t position, float scale, float* y) {
  const std::int64_t half = call.rotary_half;
  const float* cos = call.cos + position * half;
  const float* sin = call.sin + position * half;
  const std::int64_t step = call.interleaved ? 2 : 1;
  const std::int64_t distance = call.interleaved ? 1 : half;
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = x[i * step];
    const float b = x[i * step + distance];
    y[i * step] = (a * cos[i] - b * sin[i]) * scale;
    y[i * step + distance] = (b * cos[i] + a * sin[i]) * scale;
  }
  for (std::int64_t i = 2 * half; i < call.head_dim; ++i) y[i] = x[i] * scale;
}

// Where a sequence's position lies: its block, and its place in there.
template <typename V>
struct CachePlace {
  std::int64_t block;
  std::int64_t slot;
};

template <typename V>
CachePlace<V> cache_place(const AttentionCall& call, std::int64_t sequence, std::int64_t position) {
  const std::int32_t* table = call.block_table + sequence * call.max_blocks;
  return {table[position / call.block_size], position % call.block_size};
}

// `scratch` is room for two heads of padded_dim floats.
template <typename V, typename T>
void write_token(const AttentionCall& call,
                 std::int64_t sequence,
                 std::int64_t token,
                 float* scratch) {
  const std::int64_t position = call.past[sequence] + token;
  const std::int64_t row = call.cumulative[sequence] + token;
  const CachePlace<V> place = cache_place<V>(call, sequence, position);
  const std::int64_t stride = head_stride<T>(call);
  T* keys = reinterpret_cast<T*>(call.key_cache + place.block * call.block_bytes);
  T* values = reinterpret_cast<T*>(call.value_cache + place.block * call.block_bytes);
  auto* encoded = reinterpret_cast<T*>(scratch + call.padded_dim);
  for (std::int64_t h = 0; h < call.kv_heads; ++h) {
    const float* key = call.key + row * call.key_stride + h * call.head_dim;
    const float* value = call.value + row * call.value_stride + h * call.head_dim;
    T* key_head = keys + h * stride;
    T* value_head = values + h * stride;
    T* value_row = value_head + place.slot * call.padded_dim;
    rotate_head<V>(call, key, position, 1.0F, scratch);
    if constexpr (kHasScales<T>) {
      scales_of<T, float>(call, key_head)[place.slot] =
          encode_int8(scratch, call.head_dim, call.padded_dim, encoded);
      scales_of<T, float>(call, value_head)[place.slot] =
          encode_int8(value, call.head_dim, call.padded_dim, value_row);
    } else {
      encode_row<V>(scratch, call.head_dim, encoded);
      encode_row<V>(value, call.head_dim, value_row);
    }
    T* column = key_head + place.slot;
    for (std::int64_t d = 0; d < call.head_dim; ++d) column[d * call.block_size] = encoded[d];
  }
}

template <typename V>
void write_cache(const AttentionCall& call,
                 std::int64_t sequence,
                 std::int64_t token,
                 float* scratch) {
  switch (call.dtype) {
    case KvDtype::kFloat32:
      return write_token<V, float>(call, sequence, token, scratch);
    case KvDtype::kFloat16:
      return write_token<V, Float16>(call, sequence, token, scratch);
    case KvDtype::kBfloat16:
      return write_token<V, Bfloat16>(call, sequence, token, scratch);
    case KvDtype::kInt8:
      return write_token<V, Int8>(call, sequence, token, scratch);
  }
}

}  // namespace quire::kernels
