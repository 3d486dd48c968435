#pragma once

#include "kernels/attention_call.h"
#include "kernels/kernel_table.h"
#include "kernels/simd/math.h"

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

// The rows of one work item against the keys and values of one key/value head.
template <typename V, typename T>
class AttentionRows {
  using F = typename V::F;
  using Element = CacheElement<V, T>;

 public:
  AttentionRows(const AttentionCall& call, const AttentionItem& item, float* scratch)
      : call_(call),
        item_(item),
        rows_(static_cast<int>(item.row_end - item.row_begin)),
        dim_(call.head_dim),
        padded_(call.padded_dim),
        // Registers first, so that they are aligned when the scratch is.
        sums_(scratch),
        weights_(sums_ + kMaxAttentionRows * kKeyVector),
        accumulators_(weights_ + kMaxAttentionRows * kKeyTile),
        queries_(accumulators_ + kMaxAttentionRows * padded_),
        maxima_(queries_ + kMaxAttentionRows * dim_) {}

  void run() {
    for (int r = 0; r < rows_; ++r) start_row(r);
    const std::int64_t first = key_begin(0) / kKeyTile;
    const std::int64_t last = (key_end(rows_ - 1) - 1) / kKeyTile;
    for (std::int64_t tile = first; tile <= last; ++tile) {
      find_tile(tile);
      int begin = 0;
      while (key_end(begin) <= tile * kKeyTile) ++begin;
      int end = rows_;
      while (key_begin(end - 1) >= (tile + 1) * kKeyTile) --end;
      row_groups<4>(begin, end);
    }
    for (int r = 0; r < rows_; ++r) finish_row(r);
  }

 private:
  std::int64_t token(int r) const { return (item_.row_begin + r) / call_.group; }
  std::int64_t head(int r) const {
    return item_.kv_head * call_.group + (item_.row_begin + r) % call_.group;
  }
  std::int64_t key_end(int r) const { return call_.past[item_.sequence] + token(r) + 1; }
  std::int64_t key_begin(int r) const {
    const std::int64_t begin = key_end(r) - call_.window;
    return begin > 0 ? begin : 0;
  }
  // The row's visible keys inside the tile at hand.
  int tile_begin(int r) const {
    const std::int64_t begin = key_begin(r) - tile_ * kKeyTile;
    return begin > 0 ? static_cast<int>(begin) : 0;
  }
  int tile_end(int r) const {
    const std::int64_t end = key_end(r) - tile_ * kKeyTile;
    return end < kKeyTile ? static_cast<int>(end) : kKeyTile;
  }

  void start_row(int r) {
    const std::int64_t flat = call_.cumulative[item_.sequence] + token(r);
    const float* query = call_.query + flat * call_.query_stride + head(r) * dim_;
    rotate_head<V>(call_, query, key_end(r) - 1, call_.scale, queries_ + r * dim_);
    const bool sink = call_.head_sink != nullptr;
    maxima_[r] = sink ? call_.head_sink[head(r)] : -__builtin_inff();
    V::store(sums_ + r * kKeyVector, V::zero());
    // A sink is one more key of weight exp(0) that has no value.
    if (sink) sums_[r * kKeyVector] = 1.0F;
    for (std::int64_t d = 0; d < padded_; d += kKeyVector) {
      V::store(accumulators_ + r * padded_ + d, V::zero());
    }
  }

  void finish_row(int r) {
    const std::int64_t flat = call_.cumulative[item_.sequence] + token(r);
    float* out = call_.out + (flat * call_.num_heads + head(r)) * dim_;
    const F sum = V::set1(V::reduce_add(V::load(sums_ + r * kKeyVector)));
    const float* accumulator = accumulators_ + r * padded_;
    for (std::int64_t d = 0; d < dim_; d += kKeyVector) {
      const F value = V::div(V::load(accumulator + d), sum);
      if (d + kKeyVector <= dim_) {
        V::store(out + d, value);
      } else {
        V::store_n(out + d, static_cast<int>(dim_ - d), value);
      }
    }
  }

  // Looks up the keys and values of the tile. Sixteen keys that no row sees are never read: their
  // block need not exist yet, or may have been given back.
  void find_tile(std::int64_t tile) {
    tile_ = tile;
    const std::int64_t end = key_end(rows_ - 1);
    const std::int64_t head = item_.kv_head * head_stride<T>(call_);
    first_vector_ = tile_begin(0) / kKeyVector;
    end_vector_ = first_vector_;
    for (; end_vector_ < kTileVectors; ++end_vector_) {
      const std::int64_t position = tile * kKeyTile + end_vector_ * kKeyVector;
      if (position >= end) break;
      const CachePlace<V> place = cache_place<V>(call_, item_.sequence, position);
      const std::int64_t offset = place.block * call_.block_bytes;
      const T* keys = reinterpret_cast<const T*>(call_.key_cache + offset) + head;
      const T* values = reinterpret_cast<const T*>(call_.value_cache + offset) + head;
      keys_[end_vector_] = keys + place.slot;
      values_[end_vector_] = values + place.slot * padded_;
      if constexpr (kHasScales<T>) {
        key_scales_[end_vector_] = scales_of<const T, const float>(call_, keys) + place.slot;
        value_scales_[end_vector_] = scales_of<const T, const float>(call_, values) + place.slot;
      }
    }
  }

  template <int R>
  void row_groups(int begin, int end) {
    int r = begin;
    for (; r + R <= end; r += R) row_group<R>(r);
    if constexpr (R > 1) {
      if (r < end) row_groups<R - 1>(r, end);
    }
  }

  template <int R>
  void row_group(int r) {
    int v = first_vector_;
    for (; v + V::kAttentionVectors <= end_vector_; v += V::kAttentionVectors) {
      scores<R, V::kAttentionVectors>(r, v);
    }
    for (; v < end_vector_; ++v) scores<R, 1>(r, v);
    int common_begin = 0;
    int common_end = kKeyTile;
    for (int i = r; i < r + R; ++i) {
      softmax(i);
      common_begin = tile_begin(i) > common_begin ? tile_begin(i) : common_begin;
      common_end = tile_end(i) < common_end ? tile_end(i) : common_end;
    }
    if (common_begin >= common_end) {
      for (int i = r; i < r + R; ++i) add_values<1>(i, tile_begin(i), tile_end(i));
      return;
    }
    // Keys that not every row of the group sees are added row by row, in the same ascending order.
    for (int i = r; i < r + R; ++i) add_values<1>(i, tile_begin(i), common_begin);
    add_values<R>(r, common_begin, common_end);
    for (int i = r; i < r + R; ++i) add_values<1>(i, common_end, tile_end(i));
  }

  // Scores of R rows with N times sixteen keys, one chain over ascending dimensions each.
  template <int R, int N>
  void scores(int r, int vector) {
    F sum[R][N];
    for (int i = 0; i < R; ++i) {
      for (int n = 0; n < N; ++n) sum[i][n] = V::zero();
    }
    const float* query = queries_ + r * dim_;
    std::int64_t offset = 0;
    for (std::int64_t d = 0; d < dim_; ++d, offset += call_.block_size) {
      F key[N];
      for (int n = 0; n < N; ++n) key[n] = Element::load(keys_[vector + n] + offset);
      for (int i = 0; i < R; ++i) {
        const F element = V::set1(query[i * dim_ + d]);
        for (int n = 0; n < N; ++n) sum[i][n] = V::fma(element, key[n], sum[i][n]);
      }
    }
    for (int i = 0; i < R; ++i) {
      for (int n = 0; n < N; ++n) {
        if constexpr (kHasScales<T>) {
          sum[i][n] = V::mul(sum[i][n], V::load(key_scales_[vector + n]));
        }
        V::store(weights_ + (r + i) * kKeyTile + (vector + n) * kKeyVector, sum[i][n]);
      }
    }
  }

  // Turns the row's scores of this tile into weights relative to the new maximum, and what was
  // summed before with them.
  void softmax(int r) {
    const int begin = tile_begin(r);
    const int end = tile_end(r);
    const F lowest = V::set1(-__builtin_inff());
    float* weights = weights_ + r * kKeyTile;
    F most = lowest;
    for (int j = begin / kKeyVector * kKeyVector; j < end; j += kKeyVector) {
      F score = V::load(weights + j);
      if (call_.softcap > 0) {
        score = V::div(score, V::set1(call_.softcap));
        score = V::mul(simd::tanh<V>(score), V::set1(call_.softcap));
      }
      if (j < begin || j + kKeyVector > end) {
        const int until = end - j < kKeyVector ? end - j : kKeyVector;
        score = V::keep_lanes(score, begin > j ? begin - j : 0, until, lowest);
      }
      V::store(weights + j, score);
      most = V::max(most, score);
    }
    const float tile_maximum = V::reduce_max(most);
    const float before = maxima_[r];
    const float maximum = tile_maximum > before ? tile_maximum : before;
    F sum = V::load(sums_ + r * kKeyVector);
    if (maximum != before) {
      const F correction = simd::exp<V>(V::set1(before - maximum));
      sum = V::mul(sum, correction);
      float* accumulator = accumulators_ + r * padded_;
      for (std::int64_t d = 0; d < padded_; d += kKeyVector) {
        V::store(accumulator + d, V::mul(V::load(accumulator + d), correction));
      }
    }
    maxima_[r] = maximum;
    // A masked score is -infinity and its weight exactly 0.
    for (int j = begin / kKeyVector * kKeyVector; j < end; j += kKeyVector) {
      const F weight = simd::exp<V>(V::sub(V::load(weights + j), V::set1(maximum)));
      V::store(weights + j, weight);
      sum = V::add(sum, weight);
    }
    V::store(sums_ + r * kKeyVector, sum);
  }

  template <int R>
  void add_values(int r, int begin, int end) {
    if (begin >= end) return;
    std::int64_t d = 0;
    for (; d + V::kAttentionVectors * kKeyVector <= padded_;
         d += V::kAttentionVectors * kKeyVector) {
      add_value_columns<R, V::kAttentionVectors>(r, begin, end, d);
    }
    for (; d < padded_; d += kKeyVector) add_value_columns<R, 1>(r, begin, end, d);
  }

  // accumulators += weight * value over ascending keys, for N registers of dimensions from d on.
  template <int R, int N>
  void add_value_columns(int r, int begin, int end, std::int64_t d) {
    F sum[R][N];
    float* accumulator = accumulators_ + r * padded_ + d;
    for (int i = 0; i < R; ++i) {
      for (int n = 0; n < N; ++n) sum[i][n] = V::load(accumulator + i * padded_ + n * kKeyVector);
    }
    const float* weights = weights_ + r * kKeyTile;
    for (int j = begin; j < end; ++j) {
      const T* value = values_[j / kKeyVector] + (j % kKeyVector) * padded_ + d;
      F element[N];
      for (int n = 0; n < N; ++n) element[n] = Element::load(value + n * kKeyVector);
      const float scale = kHasScales<T> ? value_scales_[j / kKeyVector][j % kKeyVector] : 1.0F;
      for (int i = 0; i < R; ++i) {
        const F weight = V::set1(weights[i * kKeyTile + j] * scale);
        for (int n = 0; n < N; ++n) sum[i][n] = V::fma(weight, element[n], sum[i][n]);
      }
    }
    for (int i = 0; i < R; ++i) {
      for (int n = 0; n < N; ++n) V::store(accumulator + i * padded_ + n * kKeyVector, sum[i][n]);
    }
  }

  const AttentionCall& call_;
  const AttentionItem& item_;
  const int rows_;
  const std::int64_t dim_;
  const std::int64_t padded_;
  float* sums_;          // [row][16]: sums of the weights, lane by lane
  float* weights_;       // [row][64]: scores of the tile, then weights
  float* accumulators_;  // [row][padded_dim]: weighted values
  float* queries_;       // [row][head_dim]: rotated and scaled
  float* maxima_;        // [row]: largest score so far
  std::int64_t tile_ = 0;
  int first_vector_ = 0;
  int end_vector_ = 0;
  const T* keys_[kTileVectors] = {};
  const T* values_[kTileVectors] = {};
  const float* key_scales_[kTileVectors] = {};
  const float* value_scales_[kTileVectors] = {};
};

template <typename V>
void attend(const AttentionCall& call, const AttentionItem& item, float* scratch) {
  switch (call.dtype) {
    case KvDtype::kFloat32:
      return AttentionRows<V, float>(call, item, scratch).run();
    case KvDtype::kFloat16:
      return AttentionRows<V, Float16>(call, item, scratch).run();
    case KvDtype::kBfloat16:
      return AttentionRows<V, Bfloat16>(call, item, scratch).run();
    case KvDtype::kInt8:
      return AttentionRows<V, Int8>(call, item, scratch).run();
  }
}

}  // namespace quire::kernels
