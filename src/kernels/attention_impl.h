#pragma once

#include "kernels/attention_cache_impl.h"
#include "kernels/simd/math.h"

// Included by one file for each instruction set; see simd/portable.h for the rules of such code.
namespace quire::kernels {

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
