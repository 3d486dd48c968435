#pragma once

#include "kernels/attention_cache_impl.h"
#include "kernels/simd/math.h"

// Included by one file for each instruction set; see simd/portable.h for the rules of such code.
namespace quire::kernels {

// Up to so many rows wait for memory, and the processor does not see from one block to the next.
// More read the tile at hand so often that the time goes elsewhere.
constexpr int kFewAttentionRows = 4;

// The rows of one work item against the keys and values of one key/value head. kFetching: the next
// tile is asked for while one is worked on.
template <typename V, typename T, bool kFetching>
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
        state_floats_(attention_state_floats(call.padded_dim)),
        // Registers first, so that they are aligned when the scratch is.
        states_(scratch),
        totals_(states_ + kMaxAttentionRows * state_floats_),
        weights_(totals_ + kMaxAttentionRows * state_floats_),
        queries_(weights_ + kMaxAttentionRows * kKeyTile) {}

  void run() {
    for (int r = 0; r < rows_; ++r) load_query(r);
    const bool split = item_.parts != nullptr;
    const std::int64_t first = split ? item_.chunk : key_begin(0) / kKeyChunk;
    const std::int64_t last = split ? item_.chunk : (key_end(rows_ - 1) - 1) / kKeyChunk;
    for (std::int64_t chunk = first; chunk <= last; ++chunk) run_chunk(chunk);
    if (split) return;
    for (int r = 0; r < rows_; ++r) finish_row(r, totals_ + r * state_floats_);
  }

  // What is left when each chunk of the item's keys had an item of its own.
  void combine() {
    const std::int64_t first = key_begin(0) / kKeyChunk;
    const std::int64_t last = (key_end(rows_ - 1) - 1) / kKeyChunk;
    for (int r = 0; r < rows_; ++r) {
      float* total = totals_ + r * state_floats_;
      for (std::int64_t chunk = first; chunk <= last; ++chunk) {
        const std::int64_t part = (chunk - first) * rows_ + r;
        merge(r, chunk, item_.parts + part * state_floats_, total);
      }
      finish_row(r, total);
    }
  }

 private:
  // Where the keys and values of a tile lie.
  struct TilePlace {
    const T* keys[kTileVectors] = {};
    const T* values[kTileVectors] = {};
    const float* key_scales[kTileVectors] = {};
    const float* value_scales[kTileVectors] = {};
  };

  std::int64_t token(int r) const { return (item_.row_begin + r) / call_.group; }
  std::int64_t head(int r) const {
    return item_.kv_head * call_.group + (item_.row_begin + r) % call_.group;
  }
  std::int64_t key_end(int r) const { return call_.past[item_.sequence] + token(r) + 1; }
  std::int64_t key_begin(int r) const {
    const std::int64_t begin = key_end(r) - call_.window;
    return begin > 0 ? begin : 0;
  }
  bool sees(int r, std::int64_t chunk) const {
    return key_begin(r) < (chunk + 1) * kKeyChunk && key_end(r) > chunk * kKeyChunk;
  }
  bool is_first_chunk(int r, std::int64_t chunk) const { return key_begin(r) / kKeyChunk == chunk; }
  // The row's visible keys inside the tile at hand.
  int tile_begin(int r) const {
    const std::int64_t begin = key_begin(r) - tile_ * kKeyTile;
    return begin > 0 ? static_cast<int>(begin) : 0;
  }
  int tile_end(int r) const {
    const std::int64_t end = key_end(r) - tile_ * kKeyTile;
    return end < kKeyTile ? static_cast<int>(end) : kKeyTile;
  }
  float* accumulator(int r) const { return states_ + r * state_floats_; }
  float* sums(int r) const { return accumulator(r) + padded_; }
  float* maximum(int r) const { return sums(r) + kKeyVector; }

  void load_query(int r) {
    const std::int64_t flat = call_.cumulative[item_.sequence] + token(r);
    const float* query = call_.query + flat * call_.query_stride + head(r) * dim_;
    rotate_head<V>(call_, query, key_end(r) - 1, call_.scale, queries_ + r * dim_);
  }

  // The rows' states over the keys of one chunk, into their parts or merged into their totals. A
  // row's result is the same whichever it is: a chunk always starts from nothing, and chunks are
  // merged in ascending order.
  void run_chunk(std::int64_t chunk) {
    constexpr std::int64_t kTiles = kKeyChunk / kKeyTile;
    int row_begin = 0;
    while (key_end(row_begin) <= chunk * kKeyChunk) ++row_begin;
    int row_end = rows_;
    while (key_begin(row_end - 1) >= (chunk + 1) * kKeyChunk) --row_end;
    for (int r = row_begin; r < row_end; ++r) start_row(r, chunk);
    std::int64_t first = key_begin(row_begin) / kKeyTile;
    if (first < chunk * kTiles) first = chunk * kTiles;
    std::int64_t last = (key_end(row_end - 1) - 1) / kKeyTile;
    if (last >= (chunk + 1) * kTiles) last = (chunk + 1) * kTiles - 1;
    here_ = locate(first, {});
    for (std::int64_t tile = first; tile <= last; ++tile, here_ = next_) {
      enter_tile(tile, row_begin, row_end - 1);
      next_ = tile < last ? locate(tile + 1, here_) : here_;
      int begin = row_begin;
      while (key_end(begin) <= tile * kKeyTile) ++begin;
      int end = row_end;
      while (key_begin(end - 1) >= (tile + 1) * kKeyTile) --end;
      row_groups<4>(begin, end);
    }
    for (int r = row_begin; r < row_end; ++r) end_chunk(r, chunk);
  }

  void start_row(int r, std::int64_t chunk) {
    const float least = -__builtin_inff();
    const bool sink =
        call_.head_sink != nullptr && is_first_chunk(r, chunk) && call_.head_sink[head(r)] != least;
    *maximum(r) = sink ? call_.head_sink[head(r)] : least;
    V::store(sums(r), V::zero());
    // A sink is one more key of weight exp(0) that has no value.
    if (sink) *sums(r) = 1.0F;
    for (std::int64_t d = 0; d < padded_; d += kKeyVector) V::store(accumulator(r) + d, V::zero());
  }

  void end_chunk(int r, std::int64_t chunk) {
    if (item_.parts == nullptr) {
      return merge(r, chunk, accumulator(r), totals_ + r * state_floats_);
    }
    copy_state(accumulator(r), item_.parts + r * state_floats_);
  }

  void copy_state(const float* from, float* to) const {
    for (std::int64_t i = 0; i < padded_ + kKeyVector; i += kKeyVector) {
      V::store(to + i, V::load(from + i));
    }
    to[padded_ + kKeyVector] = from[padded_ + kKeyVector];
  }

  // Adds what the row saw in one chunk to what it saw before.
  void merge(int r, std::int64_t chunk, const float* part, float* total) const {
    if (!sees(r, chunk)) return;
    if (is_first_chunk(r, chunk)) return copy_state(part, total);
    const float part_maximum = part[padded_ + kKeyVector];
    const float total_maximum = total[padded_ + kKeyVector];
    // The one with the smaller maximum is scaled down.
    const bool rises = part_maximum > total_maximum;
    const F factor =
        simd::exp<V>(V::set1(rises ? total_maximum - part_maximum : part_maximum - total_maximum));
    const float* scaled = rises ? total : part;
    const float* kept = rises ? part : total;
    for (std::int64_t i = 0; i < padded_ + kKeyVector; i += kKeyVector) {
      V::store(total + i, V::fma(V::load(scaled + i), factor, V::load(kept + i)));
    }
    if (rises) total[padded_ + kKeyVector] = part_maximum;
  }

  void finish_row(int r, const float* total) {
    const std::int64_t flat = call_.cumulative[item_.sequence] + token(r);
    float* out = call_.out + (flat * call_.num_heads + head(r)) * dim_;
    const F sum = V::set1(V::reduce_add(V::load(total + padded_)));
    for (std::int64_t d = 0; d < dim_; d += kKeyVector) {
      const F value = V::div(V::load(total + d), sum);
      if (d + kKeyVector <= dim_) {
        V::store(out + d, value);
      } else {
        V::store_n(out + d, static_cast<int>(dim_ - d), value);
      }
    }
  }

  // What of the tile rows [first_row, last_row] see.
  void enter_tile(std::int64_t tile, int first_row, int last_row) {
    tile_ = tile;
    first_vector_ = tile_begin(first_row) / kKeyVector;
    end_vector_ = (tile_end(last_row) + kKeyVector - 1) / kKeyVector;
  }

  // Looks up the keys and values of a tile. Sixteen keys that no row sees are never looked up:
  // their block need not exist yet, or may have been given back. Their places stay what they were.
  TilePlace locate(std::int64_t tile, TilePlace place) const {
    const std::int64_t end = key_end(rows_ - 1);
    const std::int64_t head = item_.kv_head * head_stride<T>(call_);
    for (int v = 0; v < kTileVectors; ++v) {
      const std::int64_t position = tile * kKeyTile + v * kKeyVector;
      if (position >= end) break;
      if (position + kKeyVector <= key_begin(0)) continue;
      const CachePlace<V> at = cache_place<V>(call_, item_.sequence, position);
      const std::int64_t offset = at.block * call_.block_bytes;
      const T* keys = reinterpret_cast<const T*>(call_.key_cache + offset) + head;
      const T* values = reinterpret_cast<const T*>(call_.value_cache + offset) + head;
      place.keys[v] = keys + at.slot;
      place.values[v] = values + at.slot * padded_;
      if constexpr (kHasScales<T>) {
        place.key_scales[v] = scales_of<const T, const float>(call_, keys) + at.slot;
        place.value_scales[v] = scales_of<const T, const float>(call_, values) + at.slot;
      }
    }
    return place;
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
      for (int n = 0; n < N; ++n) {
        key[n] = Element::load(here_.keys[vector + n] + offset);
        if constexpr (kFetching) __builtin_prefetch(next_.keys[vector + n] + offset);
      }
      for (int i = 0; i < R; ++i) {
        const F element = V::set1(query[i * dim_ + d]);
        for (int n = 0; n < N; ++n) sum[i][n] = V::fma(element, key[n], sum[i][n]);
      }
    }
    for (int i = 0; i < R; ++i) {
      for (int n = 0; n < N; ++n) {
        if constexpr (kHasScales<T>) {
          sum[i][n] = V::mul(sum[i][n], V::load(here_.key_scales[vector + n]));
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
    const float before = *maximum(r);
    const float largest = tile_maximum > before ? tile_maximum : before;
    F sum = V::load(sums(r));
    // Before the first key of a chunk there is nothing to scale down.
    if (largest != before && before != -__builtin_inff()) {
      const F correction = simd::exp<V>(V::set1(before - largest));
      sum = V::mul(sum, correction);
      float* sum_of_values = accumulator(r);
      for (std::int64_t d = 0; d < padded_; d += kKeyVector) {
        V::store(sum_of_values + d, V::mul(V::load(sum_of_values + d), correction));
      }
    }
    *maximum(r) = largest;
    // A masked score is -infinity and its weight exactly 0.
    for (int j = begin / kKeyVector * kKeyVector; j < end; j += kKeyVector) {
      const F weight = simd::exp<V>(V::sub(V::load(weights + j), V::set1(largest)));
      V::store(weights + j, weight);
      sum = V::add(sum, weight);
    }
    V::store(sums(r), sum);
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
    for (int i = 0; i < R; ++i) {
      const float* from = accumulator(r + i) + d;
      for (int n = 0; n < N; ++n) sum[i][n] = V::load(from + n * kKeyVector);
    }
    const float* weights = weights_ + r * kKeyTile;
    for (int j = begin; j < end; ++j) {
      const T* value = here_.values[j / kKeyVector] + (j % kKeyVector) * padded_ + d;
      F element[N];
      for (int n = 0; n < N; ++n) element[n] = Element::load(value + n * kKeyVector);
      if constexpr (kFetching) {
        const T* next = next_.values[j / kKeyVector] + (j % kKeyVector) * padded_ + d;
        for (int line = 0; line < N * kKeyVector; line += 64 / static_cast<int>(sizeof(T))) {
          __builtin_prefetch(next + line);
        }
      }
      const float scale = kHasScales<T> ? here_.value_scales[j / kKeyVector][j % kKeyVector] : 1.0F;
      for (int i = 0; i < R; ++i) {
        const F weight = V::set1(weights[i * kKeyTile + j] * scale);
        for (int n = 0; n < N; ++n) sum[i][n] = V::fma(weight, element[n], sum[i][n]);
      }
    }
    for (int i = 0; i < R; ++i) {
      float* to = accumulator(r + i) + d;
      for (int n = 0; n < N; ++n) V::store(to + n * kKeyVector, sum[i][n]);
    }
  }

  const AttentionCall& call_;
  const AttentionItem& item_;
  const int rows_;
  const std::int64_t dim_;
  const std::int64_t padded_;
  const std::int64_t state_floats_;
  // A row's state: weighted values [padded_dim], sums of the weights lane by lane [16], the largest
  // score so far [1].
  float* states_;   // [row]: of the chunk at hand
  float* totals_;   // [row]: of the chunks before
  float* weights_;  // [row][64]: scores of the tile, then weights
  float* queries_;  // [row][head_dim]: rotated and scaled
  std::int64_t tile_ = 0;
  int first_vector_ = 0;
  int end_vector_ = 0;
  TilePlace here_;
  TilePlace next_;  // what to fetch meanwhile
};

template <typename Rows>
void run_or_combine(Rows rows, bool combine) {
  if (combine) {
    rows.combine();
  } else {
    rows.run();
  }
}

template <typename V, typename T>
void attend_item(const AttentionCall& call, const AttentionItem& item, float* scratch) {
  const bool combine = item.chunk == AttentionItem::kCombine;
  if (item.row_end - item.row_begin <= kFewAttentionRows) {
    run_or_combine(AttentionRows<V, T, true>(call, item, scratch), combine);
  } else {
    run_or_combine(AttentionRows<V, T, false>(call, item, scratch), combine);
  }
}

template <typename V>
void attend(const AttentionCall& call, const AttentionItem& item, float* scratch) {
  switch (call.dtype) {
    case KvDtype::kFloat32:
      return attend_item<V, float>(call, item, scratch);
    case KvDtype::kFloat16:
      return attend_item<V, Float16>(call, item, scratch);
    case KvDtype::kBfloat16:
      return attend_item<V, Bfloat16>(call, item, scratch);
    case KvDtype::kInt8:
      return attend_item<V, Int8>(call, item, scratch);
  }
}

}  // namespace quire::kernels
