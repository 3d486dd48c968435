#include <immintrin.h>

#include "kernels/kernel_table.h"
#include "kernels/linear_impl.h"
#include "kernels/simd/avx512.h"

// AVX-512 with AMX tiles for linear layers of 4- and 8-bit weights and 16-bit activations. The
// integer sums are exact and what follows them is the same chain of operations, so every bit equals
// the AVX-512 path's, which takes the rows that do not fill a panel.
namespace quire::kernels {
namespace {

using V = simd::Avx512;
using F = V::F;
using I = V::I;
using Panel = PanelBlock<V, ActivationBits::k16>;

constexpr int kRows = V::kPanelRows;
constexpr int kChunkBlocks = 18;  // blocks of weights unpacked at a time: they stay in the L1 cache
constexpr int kMaxPanels = 16;    // panels of one piece of work, whose sums stay in the L1 cache

// What the processor wants to know about the tile registers. 0 and 1 are sums [16 rows][16
// columns], 2 and 3 activations [16][32 bytes], 4 weights [8][16 columns][4 bytes].
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 32, 32, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 8, 8, 16, 16};
};

// Tiles hold nothing from one call to the next; configured only while one of these lives. Written
// in assembly because g++ 12 takes no notice of the memory its own tile intrinsics read.
class TileScope {
 public:
  TileScope() { asm volatile("ldtilecfg %0" : : "m"(kConfig)); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
  ~TileScope() { asm volatile("tilerelease" : : : "memory"); }

 private:
  static constexpr TileConfig kConfig = {};
};

// One block of sixteen columns as the tiles read it.
struct alignas(64) WeightBlock {
  std::uint8_t q[8][64];
  float scale[kColumnTile];
  float min[kColumnTile];
};

// A tile is one panel's block: row 2r has the high bytes of row r, row 2r + 1 the low ones.
struct alignas(64) TileSums {
  std::int32_t value[2 * kRows][kColumnTile];
};

template <bool kFourBit, bool kHasMin>
void unpack_block(const std::uint8_t* w, WeightBlock& out) {
  constexpr int kWeightBytes = kFourBit ? 256 : 512;
  if constexpr (kFourBit) {
    const I nibble = _mm512_set1_epi8(15);
    for (int g = 0; g < 4; ++g) {
      const I both = _mm512_loadu_si512(w + 64 * g);
      _mm512_store_si512(out.q[g], _mm512_and_si512(both, nibble));
      _mm512_store_si512(out.q[g + 4], _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble));
    }
  } else {
    const I offset = _mm512_set1_epi8(-128);
    for (int g = 0; g < 8; ++g) {
      _mm512_store_si512(out.q[g], _mm512_xor_si512(_mm512_loadu_si512(w + 64 * g), offset));
    }
  }
  const auto* half = reinterpret_cast<const std::uint16_t*>(w + kWeightBytes);
  V::store(out.scale, V::load_f16(half));
  if constexpr (kHasMin) V::store(out.min, V::load_f16(half + kColumnTile));
}

// Products of one panel's block with one or two column tiles of weights. kSet 0 and 1 are different
// tile registers, so that the processor need not wait for those of the call before.
template <int kSet>
void multiply_tiles(const WeightBlock* const (&w)[1], const Panel& x, TileSums (&sums)[1]) {
  asm volatile(
      "tileloadd (%[x],%[half],1), %%tmm%c[x_tile]\n\t"
      "tileloadd (%[w],%[line],1), %%tmm%c[w_tile]\n\t"
      "tilezero %%tmm%c[y_tile]\n\t"
      "tdpbsud %%tmm%c[w_tile], %%tmm%c[x_tile], %%tmm%c[y_tile]\n\t"
      "tilestored %%tmm%c[y_tile], (%[y],%[line],1)\n\t"
      :
      : [w] "r"(w[0]->q),
        [x] "r"(x.q),
        [y] "r"(sums[0].value),
        [line] "r"(std::int64_t{64}),
        [half] "r"(std::int64_t{32}),
        [w_tile] "i"(4 + kSet),
        [x_tile] "i"(2 + kSet),
        [y_tile] "i"(kSet)
      : "memory");
}

template <int kSet>
void multiply_tiles(const WeightBlock* const (&w)[2], const Panel& x, TileSums (&sums)[2]) {
  asm volatile(
      "tileloadd (%[x],%[half],1), %%tmm%c[x_tile]\n\t"
      "tileloadd (%[w],%[line],1), %%tmm4\n\t"
      "tilezero %%tmm%c[y_tile]\n\t"
      "tdpbsud %%tmm4, %%tmm%c[x_tile], %%tmm%c[y_tile]\n\t"
      "tileloadd (%[w2],%[line],1), %%tmm5\n\t"
      "tilezero %%tmm%c[y2_tile]\n\t"
      "tdpbsud %%tmm5, %%tmm%c[x_tile], %%tmm%c[y2_tile]\n\t"
      "tilestored %%tmm%c[y_tile], (%[y],%[line],1)\n\t"
      "tilestored %%tmm%c[y2_tile], (%[y2],%[line],1)\n\t"
      :
      : [w] "r"(w[0]->q),
        [w2] "r"(w[1]->q),
        [x] "r"(x.q),
        [y] "r"(sums[0].value),
        [y2] "r"(sums[1].value),
        [line] "r"(std::int64_t{64}),
        [half] "r"(std::int64_t{32}),
        [x_tile] "i"(2 + kSet),
        [y_tile] "i"(kSet),
        [y2_tile] "i"(kSet + 6)
      : "memory");
}

// Adds one block to the chains of one panel, as quantized_tile() does.
template <bool kHasMin, bool kHasOffset>
void add_block(const WeightBlock& w, const Panel& x, const TileSums& sums, F (&y)[kRows]) {
  const F scale = V::load(w.scale);
  for (int r = 0; r < kRows; ++r) {
    const I high = _mm512_load_si512(sums.value[2 * r]);
    const I low = _mm512_load_si512(sums.value[2 * r + 1]);
    I dot = V::addi(_mm512_slli_epi32(high, 8), low);
    if constexpr (kHasOffset) dot = V::addi(dot, V::set1i(x.correction[r]));
    const F both = V::mul(scale, V::set1(x.scale[r]));
    y[r] = V::fma(both, V::to_float(dot), y[r]);
  }
  if constexpr (kHasMin) {
    const F min = V::load(w.min);
    for (int r = 0; r < kRows; ++r) y[r] = V::fma(min, V::set1(x.scaled_sum[r]), y[r]);
  }
}

template <bool kHasMin, bool kHasOffset, int C>
void add_chunk(const WeightBlock (*w)[kChunkBlocks],
               int count,
               const Panel* x,
               F (&chains)[C][kRows]) {
  TileSums sums[2][C];
  F y[C][kRows];
  for (int c = 0; c < C; ++c) {
    for (int r = 0; r < kRows; ++r) y[c][r] = chains[c][r];
  }
  const auto issue = [&](int b) {
    const WeightBlock* blocks[C];
    for (int c = 0; c < C; ++c) blocks[c] = &w[c][b];
    if (b % 2 == 0) {
      multiply_tiles<0>(blocks, x[b], sums[b % 2]);
    } else {
      multiply_tiles<1>(blocks, x[b], sums[b % 2]);
    }
  };
  constexpr int kAhead = 1;
  for (int b = 0; b < kAhead && b < count; ++b) issue(b);
  for (int b = 0; b < count; ++b) {
    if (b + kAhead < count) issue(b + kAhead);
    for (int c = 0; c < C; ++c) {
      add_block<kHasMin, kHasOffset>(w[c][b], x[b], sums[b % 2][c], y[c]);
    }
  }
  for (int c = 0; c < C; ++c) {
    for (int r = 0; r < kRows; ++r) chains[c][r] = y[c][r];
  }
}

template <PackedKind kKind, int C>
void multiply_column_tile(const LinearCall& call,
                          std::int64_t tile,
                          std::int64_t panel_begin,
                          std::int64_t panel_end) {
  constexpr bool kFourBit = kKind == PackedKind::kQ4 || kKind == PackedKind::kQ4Min;
  constexpr bool kHasMin = kKind == PackedKind::kQ4Min || kKind == PackedKind::kQ8Min;
  constexpr bool kHasOffset = weight_offset<V>(kKind) != 0;
  constexpr int kBlockBytes = (kFourBit ? 256 : 512) + kColumnTile * 2 * (kHasMin ? 2 : 1);
  const std::int64_t blocks = (call.k + kQuantBlock - 1) / kQuantBlock;
  const auto* x = reinterpret_cast<const Panel*>(call.panels) + panel_begin * blocks;
  const std::uint8_t* packed = call.weights + tile * call.tile_bytes;
  const auto panels = static_cast<int>(panel_end - panel_begin);
  WeightBlock weights[C][kChunkBlocks];
  F chains[kMaxPanels][C][kRows];
  for (int p = 0; p < panels; ++p) {
    for (int c = 0; c < C; ++c) {
      for (int r = 0; r < kRows; ++r) chains[p][c][r] = V::zero();
    }
  }
  for (std::int64_t first = 0; first < blocks; first += kChunkBlocks) {
    const std::int64_t left = blocks - first;
    const int count = left < kChunkBlocks ? static_cast<int>(left) : kChunkBlocks;
    for (int b = 0; b < count; ++b, packed += kBlockBytes) {
      for (int c = 0; c < C; ++c) {
        const std::uint8_t* from = packed + c * call.tile_bytes;
        prefetch_weights<V>(from, kBlockBytes, kPrefetchSideBySide);
        unpack_block<kFourBit, kHasMin>(from, weights[c][b]);
      }
    }
    for (int p = 0; p < panels; ++p) {
      add_chunk<kHasMin, kHasOffset, C>(weights, count, x + p * blocks + first, chains[p]);
    }
  }
  for (int p = 0; p < panels; ++p) {
    store_tile<V, kRows, C>(call, tile, (panel_begin + p) * kRows, chains[p]);
  }
}

template <PackedKind kKind>
void multiply_tiles_of_kind(const LinearCall& call,
                            std::int64_t tile_begin,
                            std::int64_t tile_end,
                            std::int64_t panel_begin,
                            std::int64_t panel_end) {
  std::int64_t tile = tile_begin;
  for (; tile + 2 <= tile_end; tile += 2) {
    multiply_column_tile<kKind, 2>(call, tile, panel_begin, panel_end);
  }
  if (tile < tile_end) multiply_column_tile<kKind, 1>(call, tile, panel_begin, panel_end);
}

void multiply_full_panels(const LinearCall& call,
                          std::int64_t tile_begin,
                          std::int64_t tile_end,
                          std::int64_t panel_begin,
                          std::int64_t panel_end) {
  const TileScope scope;
  switch (call.kind) {
    case PackedKind::kQ4:
      return multiply_tiles_of_kind<PackedKind::kQ4>(
          call, tile_begin, tile_end, panel_begin, panel_end);
    case PackedKind::kQ4Min:
      return multiply_tiles_of_kind<PackedKind::kQ4Min>(
          call, tile_begin, tile_end, panel_begin, panel_end);
    case PackedKind::kQ8:
      return multiply_tiles_of_kind<PackedKind::kQ8>(
          call, tile_begin, tile_end, panel_begin, panel_end);
    case PackedKind::kQ8Min:
      return multiply_tiles_of_kind<PackedKind::kQ8Min>(
          call, tile_begin, tile_end, panel_begin, panel_end);
    default:
      return;
  }
}

void linear_with_tiles(const LinearCall& call,
                       std::int64_t tile_begin,
                       std::int64_t tile_end,
                       std::int64_t panel_begin,
                       std::int64_t panel_end) {
  const bool tiles = call.kind <= PackedKind::kQ8Min && call.activation_bits == ActivationBits::k16;
  std::int64_t full_end = tiles ? call.rows / kRows : panel_begin;
  if (full_end > panel_end) full_end = panel_end;
  if (full_end < panel_begin + 1) full_end = panel_begin;
  for (std::int64_t first = panel_begin; first < full_end; first += kMaxPanels) {
    const std::int64_t end = first + kMaxPanels < full_end ? first + kMaxPanels : full_end;
    multiply_full_panels(call, tile_begin, tile_end, first, end);
  }
  if (full_end < panel_end) {
    avx512_kernels().linear(call, tile_begin, tile_end, full_end, panel_end);
  }
}

}  // namespace

const KernelTable& amx_kernels() {
  static const KernelTable kTable = [] {
    KernelTable table = avx512_kernels();
    table.linear = linear_with_tiles;
    return table;
  }();
  return kTable;
}

}  // namespace quire::kernels
