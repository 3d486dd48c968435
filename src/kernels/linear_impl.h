#pragma once

#include "kernels/kernel_table.h"

// Included by one file for each instruction set; see simd/portable.h for the rules of such code.
namespace quire::kernels {

// How far ahead of the dot products weights are fetched, measured: with tiles side by side 4096 and
// more are worse, in one sequence less is.
constexpr int kPrefetchSideBySide = 2048;
constexpr int kPrefetchInSequence = 8192;

// Asks for the `bytes` that lie `distance` after p. The hardware's own prefetching does not keep up
// with one stream or a few. Past the end of a matrix it is harmless, and the address is made as an
// integer because no pointer may go there.
template <typename V>
void prefetch_weights(const std::uint8_t* p, int bytes, int distance) {
  const auto ahead = reinterpret_cast<std::uintptr_t>(p) + static_cast<std::uintptr_t>(distance);
  for (int line = 0; line < bytes; line += 64) {
    const auto address = ahead + static_cast<std::uintptr_t>(line);
    __builtin_prefetch(
        reinterpret_cast<const void*>(address));  // NOLINT(performance-no-int-to-ptr)
  }
}

// One block of 32 elements of a panel's rows, quantized. How 16 bits lie in q is V's affair.
template <typename V, ActivationBits kBits>
struct PanelBlock {
  std::int8_t q[V::kPanelRows][activation_bytes(kBits)];
  float scale[V::kPanelRows];
  float scaled_sum[V::kPanelRows];         // scale times the sum of q: what a minimum multiplies
  std::int32_t correction[V::kPanelRows];  // takes the weights' offset out of the integer sum
};

// What the stored weight is above the one meant: 8 for Q4 without a minimum, the instruction set's
// own offset for bytes.
template <typename V>
constexpr int weight_offset(PackedKind kind) {
  switch (kind) {
    case PackedKind::kQ4:
      return 8;
    case PackedKind::kQ8:
    case PackedKind::kQ8Min:
      return V::kByteOffset;
    default:
      return 0;
  }
}

// Sixteen quantized elements, integral floats in range, into row q from element i on; returns them
// as integers.
template <typename V, ActivationBits kBits>
typename V::I store_quants(std::int8_t* q, int i, typename V::F values) {
  const typename V::I integers = V::to_int(values);
  if constexpr (kBits == ActivationBits::k8) {
    V::store_bytes(q + i, integers);
  } else {
    V::store_words(q, i, integers);
  }
  return integers;
}

// x: 32 floats. A block with a NaN or an infinity becomes NaN times zeros, so that all results of
// its row are NaN and no other row's is touched.
template <typename V, ActivationBits kBits>
void quantize_block(const float* x, int offset, int row, PanelBlock<V, kBits>& out) {
  using F = typename V::F;
  constexpr auto kMost = static_cast<float>(max_activation(kBits));
  const std::int32_t most_bits = V::max_abs_bits(x);
  std::int32_t sum = 0;
  float most;
  __builtin_memcpy(&most, &most_bits, sizeof(most));
  float scale = most / kMost;
  if (most_bits >= 0x7f800000 || scale == 0.0F) {
    scale = most_bits >= 0x7f800000 ? __builtin_nanf("") : 0.0F;
    __builtin_memset(out.q[row], 0, sizeof(out.q[row]));
  } else {
    const F magic = V::set1(12582912.0F);  // adding it rounds to an integer, ties to even
    const F limit = V::set1(kMost);        // passed only where the scale is subnormal
    typename V::I integers = V::set1i(0);
    for (int i = 0; i < kQuantBlock; i += V::kLanes) {
      const F quotient = V::div(V::load(x + i), V::set1(scale));
      const F rounded = V::sub(V::add(quotient, magic), magic);
      const F limited = V::max(V::min(rounded, limit), V::sub(V::zero(), limit));
      integers = V::addi(integers, store_quants<V, kBits>(out.q[row], i, limited));
    }
    sum = V::reduce_addi(integers);
  }
  out.scale[row] = scale;
  out.scaled_sum[row] = scale * static_cast<float>(sum);
  out.correction[row] = -offset * sum;
}

template <typename V, ActivationBits kBits>
void quantize_rows(const LinearCall& call, std::int64_t panel) {
  const int offset = weight_offset<V>(call.kind);
  const std::int64_t blocks = (call.k + kQuantBlock - 1) / kQuantBlock;
  auto* out = reinterpret_cast<PanelBlock<V, kBits>*>(call.panels) + panel * blocks;
  const std::int64_t first = panel * V::kPanelRows;
  for (int row = 0; row < V::kPanelRows && first + row < call.rows; ++row) {
    const float* x = call.x + (first + row) * call.k;
    std::int64_t b = 0;
    for (; (b + 1) * kQuantBlock <= call.k; ++b) {
      quantize_block<V, kBits>(x + b * kQuantBlock, offset, row, out[b]);
    }
    if (b < blocks) {
      float tail[kQuantBlock] = {};
      for (std::int64_t i = b * kQuantBlock; i < call.k; ++i) tail[i - b * kQuantBlock] = x[i];
      quantize_block<V, kBits>(tail, offset, row, out[b]);
    }
  }
}

template <typename V>
void quantize_panel(const LinearCall& call, std::int64_t panel) {
  if (call.activation_bits == ActivationBits::k8) {
    quantize_rows<V, ActivationBits::k8>(call, panel);
  } else {
    quantize_rows<V, ActivationBits::k16>(call, panel);
  }
}

// Adds the bias and writes R rows of C column tiles, the last of them perhaps in part.
template <typename V, int R, int C>
void store_tile(const LinearCall& call,
                std::int64_t tile,
                std::int64_t row,
                const typename V::F (&sum)[C][R]) {
  for (int c = 0; c < C; ++c) {
    const std::int64_t column = (tile + c) * kColumnTile;
    const std::int64_t left = call.n - column;
    for (int r = 0; r < R; ++r) {
      typename V::F value = sum[c][r];
      if (call.bias != nullptr) value = V::add(value, V::load(call.bias + column));
      float* y = call.y + (row + r) * call.n + column;
      if (left >= kColumnTile) {
        V::store(y, value);
      } else {
        V::store_n(y, static_cast<int>(left), value);
      }
    }
  }
}

// dot[r] += the products of a block's weights with row r, summed.
template <typename V, bool kFourBit, ActivationBits kBits, int R>
void add_dots(typename V::I (&dot)[R],
              const std::uint8_t* w,
              const std::int8_t (*x)[activation_bytes(kBits)]) {
  if constexpr (kFourBit && kBits == ActivationBits::k8) {
    V::template dot_4bit<R>(dot, w, x);
  } else if constexpr (kFourBit) {
    V::template dot_4bit_wide<R>(dot, w, x);
  } else if constexpr (kBits == ActivationBits::k8) {
    V::template dot_8bit<R>(dot, w, x);
  } else {
    V::template dot_8bit_wide<R>(dot, w, x);
  }
}

// R rows of a panel times C column tiles of quantized weights. Every output element is one chain
// over the ascending blocks, the same instructions whatever R and C are: its bits do not depend on
// the rows beside it.
template <typename V, PackedKind kKind, ActivationBits kBits, int R, int C>
void quantized_tile(const LinearCall& call, std::int64_t tile, std::int64_t panel) {
  using F = typename V::F;
  constexpr bool kFourBit = kKind == PackedKind::kQ4 || kKind == PackedKind::kQ4Min;
  constexpr bool kHasMin = kKind == PackedKind::kQ4Min || kKind == PackedKind::kQ8Min;
  constexpr bool kHasOffset = weight_offset<V>(kKind) != 0;
  constexpr int kDistance = R == 1 && C == 1 ? kPrefetchInSequence : kPrefetchSideBySide;
  constexpr int kWeightBytes = kFourBit ? 256 : 512;
  constexpr int kScaleBytes = kColumnTile * 2;
  constexpr int kBlockBytes = kWeightBytes + kScaleBytes * (kHasMin ? 2 : 1);
  const std::int64_t blocks = (call.k + kQuantBlock - 1) / kQuantBlock;
  const auto* x = reinterpret_cast<const PanelBlock<V, kBits>*>(call.panels) + panel * blocks;
  const std::uint8_t* weights = call.weights + tile * call.tile_bytes;
  F sum[C][R];
  for (int c = 0; c < C; ++c) {
    for (int r = 0; r < R; ++r) sum[c][r] = V::zero();
  }
  for (std::int64_t b = 0; b < blocks; ++b, ++x) {
    for (int c = 0; c < C; ++c) {
      const std::uint8_t* w = weights + c * call.tile_bytes + b * kBlockBytes;
      prefetch_weights<V>(w, kBlockBytes, kDistance);
      typename V::I dot[R];
      for (int r = 0; r < R; ++r) dot[r] = V::set1i(kHasOffset ? x->correction[r] : 0);
      add_dots<V, kFourBit, kBits, R>(dot, w, x->q);
      const auto* half = reinterpret_cast<const std::uint16_t*>(w + kWeightBytes);
      const F scale = V::load_f16(half);
      for (int r = 0; r < R; ++r) {
        const F both = V::mul(scale, V::set1(x->scale[r]));
        sum[c][r] = V::fma(both, V::to_float(dot[r]), sum[c][r]);
      }
      if constexpr (kHasMin) {
        const F min = V::load_f16(half + kColumnTile);
        for (int r = 0; r < R; ++r) {
          sum[c][r] = V::fma(min, V::set1(x->scaled_sum[r]), sum[c][r]);
        }
      }
    }
  }
  store_tile<V, R, C>(call, tile, panel * V::kPanelRows, sum);
}

template <typename V, PackedKind kKind>
typename V::F load_weights(const std::uint8_t* p) {
  if constexpr (kKind == PackedKind::kFloat32) {
    return V::load(reinterpret_cast<const float*>(p));
  } else if constexpr (kKind == PackedKind::kFloat16) {
    return V::load_f16(reinterpret_cast<const std::uint16_t*>(p));
  } else {
    return V::load_bf16(reinterpret_cast<const std::uint16_t*>(p));
  }
}

// The same for 16- and 32-bit weights: one chain of multiply-adds over ascending k.
template <typename V, PackedKind kKind, int R, int C>
void float_tile(const LinearCall& call, std::int64_t tile, std::int64_t panel) {
  using F = typename V::F;
  constexpr int kStep = kColumnTile * (kKind == PackedKind::kFloat32 ? 4 : 2);
  const std::int64_t row = panel * V::kPanelRows;
  const float* x = call.x + row * call.k;
  const std::uint8_t* w = call.weights + tile * call.tile_bytes;
  F sum[C][R];
  for (int c = 0; c < C; ++c) {
    for (int r = 0; r < R; ++r) sum[c][r] = V::zero();
  }
  for (std::int64_t i = 0; i < call.k; ++i, w += kStep) {
    F activation[R];
    for (int r = 0; r < R; ++r) activation[r] = V::set1(x[r * call.k + i]);
    for (int c = 0; c < C; ++c) {
      const F weight = load_weights<V, kKind>(w + c * call.tile_bytes);
      for (int r = 0; r < R; ++r) sum[c][r] = V::fma(weight, activation[r], sum[c][r]);
    }
  }
  store_tile<V, R, C>(call, tile, row, sum);
}

template <typename V, PackedKind kKind, ActivationBits kBits, int R, int C>
void any_tile(const LinearCall& call, std::int64_t tile, std::int64_t panel) {
  if constexpr (kKind <= PackedKind::kQ8Min) {
    quantized_tile<V, kKind, kBits, R, C>(call, tile, panel);
  } else {
    float_tile<V, kKind, R, C>(call, tile, panel);
  }
}

template <typename V>
struct TileRange {
  std::int64_t tile_begin, tile_end, panel_begin, panel_end;
};

// The R rows of a panel times all column tiles of the range, as many side by side as go best.
template <typename V, PackedKind kKind, ActivationBits kBits, int R>
void panel_tiles(const LinearCall& call, const TileRange<V>& range, std::int64_t panel) {
  constexpr bool kQuantized = kKind <= PackedKind::kQ8Min;
  constexpr int kColumns = V::side_by_side(R, kQuantized);
  std::int64_t tile = range.tile_begin;
  const bool in_sequence = R == 1 && kQuantized && call.in_sequence;
  for (; !in_sequence && tile + kColumns <= range.tile_end; tile += kColumns) {
    any_tile<V, kKind, kBits, R, kColumns>(call, tile, panel);
  }
  for (; tile < range.tile_end; ++tile) any_tile<V, kKind, kBits, R, 1>(call, tile, panel);
}

// Picks the instantiation for the number of rows that the panel has.
template <typename V, PackedKind kKind, ActivationBits kBits, int R = V::kPanelRows>
void panel_of_rows(const LinearCall& call,
                   const TileRange<V>& range,
                   std::int64_t panel,
                   std::int64_t rows) {
  if constexpr (R > 1) {
    if (rows < R) return panel_of_rows<V, kKind, kBits, R - 1>(call, range, panel, rows);
  }
  panel_tiles<V, kKind, kBits, R>(call, range, panel);
}

// The weights of the range stay in the near caches while the panels pass.
template <typename V, PackedKind kKind, ActivationBits kBits = ActivationBits::k8>
void linear_of_kind(const LinearCall& call, const TileRange<V>& range) {
  for (std::int64_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
    const std::int64_t rows = call.rows - panel * V::kPanelRows;
    panel_of_rows<V, kKind, kBits>(call, range, panel, rows);
  }
}

template <typename V, PackedKind kKind>
void quantized_of_kind(const LinearCall& call, const TileRange<V>& range) {
  if (call.activation_bits == ActivationBits::k8) {
    linear_of_kind<V, kKind, ActivationBits::k8>(call, range);
  } else {
    linear_of_kind<V, kKind, ActivationBits::k16>(call, range);
  }
}

template <typename V>
void linear_tiles(const LinearCall& call,
                  std::int64_t tile_begin,
                  std::int64_t tile_end,
                  std::int64_t panel_begin,
                  std::int64_t panel_end) {
  const TileRange<V> range{tile_begin, tile_end, panel_begin, panel_end};
  switch (call.kind) {
    case PackedKind::kQ4:
      return quantized_of_kind<V, PackedKind::kQ4>(call, range);
    case PackedKind::kQ4Min:
      return quantized_of_kind<V, PackedKind::kQ4Min>(call, range);
    case PackedKind::kQ8:
      return quantized_of_kind<V, PackedKind::kQ8>(call, range);
    case PackedKind::kQ8Min:
      return quantized_of_kind<V, PackedKind::kQ8Min>(call, range);
    case PackedKind::kFloat16:
      return linear_of_kind<V, PackedKind::kFloat16>(call, range);
    case PackedKind::kBfloat16:
      return linear_of_kind<V, PackedKind::kBfloat16>(call, range);
    case PackedKind::kFloat32:
      return linear_of_kind<V, PackedKind::kFloat32>(call, range);
  }
}

}  // namespace quire::kernels
