#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/linear.h"

namespace quire::kernels {
namespace {

// Keeps every product of sizes below 2^63.
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 28;

// Packed bytes of one piece of a thread's packing.
constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

bool is_quantized(WeightType type) {
  return type == WeightType::kInt4 || type == WeightType::kInt8;
}

// Bytes of the elements one scale covers, or of one element.
std::int64_t unit_bytes(WeightType type) {
  switch (type) {
    case WeightType::kInt4:
      return kQuantBlock / 2;
    case WeightType::kInt8:
      return kQuantBlock;
    case WeightType::kFloat16:
    case WeightType::kBfloat16:
      return 2;
    case WeightType::kFloat32:
      break;
  }
  return 4;
}

PackedKind packed_kind(const WeightView& weights) {
  const bool has_min = !weights.min.empty();
  switch (weights.type) {
    case WeightType::kInt4:
      return has_min ? PackedKind::kQ4Min : PackedKind::kQ4;
    case WeightType::kInt8:
      return has_min ? PackedKind::kQ8Min : PackedKind::kQ8;
    case WeightType::kFloat16:
      return PackedKind::kFloat16;
    case WeightType::kBfloat16:
      return PackedKind::kBfloat16;
    case WeightType::kFloat32:
      break;
  }
  return PackedKind::kFloat32;
}

Status check_size(const char* what, std::size_t have, std::int64_t want) {
  if (have == static_cast<std::size_t>(want)) return ok_status();
  return bad_model(std::string(what) + " has " + std::to_string(have) +
                   " elements where K, N and bits make it " + std::to_string(want));
}

// Moves the quants of one column's block to where the dot products want them: dword g of column c
// at dword g * 16 + c. Columns past N stay zero.
void pack_quants(const std::byte* from, std::int64_t bytes, std::int64_t column, std::byte* to) {
  for (std::int64_t g = 0; g < bytes / 4; ++g) {
    std::memcpy(to + (g * kColumnTile + column) * 4, from + g * 4, 4);
  }
}

void pack_quantized_column(const WeightView& weights, std::int64_t n, std::byte* tile) {
  const std::int64_t blocks = divide_up(weights.k, kQuantBlock);
  const std::int64_t bytes = unit_bytes(weights.type);
  const std::int64_t scales_at = bytes * kColumnTile;
  const std::int64_t column = n % kColumnTile;
  const std::int64_t block_bytes = scales_at + kColumnTile * (weights.min.empty() ? 2 : 4);
  for (std::int64_t b = 0; b < blocks; ++b) {
    std::byte* block = tile + b * block_bytes;
    const std::int64_t index = n * blocks + b;
    pack_quants(weights.weight.data() + index * bytes, bytes, column, block);
    std::byte* scale = block + scales_at + column * 2;
    std::memcpy(scale, &weights.scale[static_cast<std::size_t>(index)], 2);
    if (weights.min.empty()) continue;
    std::memcpy(scale + kColumnTile * 2, &weights.min[static_cast<std::size_t>(index)], 2);
  }
}

void pack_float_column(const WeightView& weights, std::int64_t n, std::byte* tile) {
  const std::int64_t bytes = unit_bytes(weights.type);
  const std::byte* from = weights.weight.data() + n * weights.k * bytes;
  std::byte* to = tile + n % kColumnTile * bytes;
  for (std::int64_t i = 0; i < weights.k; ++i) {
    std::memcpy(to + i * kColumnTile * bytes, from + i * bytes, static_cast<std::size_t>(bytes));
  }
}

std::int64_t bytes_of_tile(const WeightView& weights) {
  const std::int64_t unit = unit_bytes(weights.type) * kColumnTile;
  if (!is_quantized(weights.type)) return weights.k * unit;
  return divide_up(weights.k, kQuantBlock) * (unit + kColumnTile * (weights.min.empty() ? 2 : 4));
}

// The plain bytes of rows [begin, end).
std::span<const std::byte> plain_rows(const WeightView& weights,
                                      std::int64_t begin,
                                      std::int64_t end) {
  const std::int64_t row = static_cast<std::int64_t>(weights.weight.size()) / weights.n;
  return weights.weight.subspan(static_cast<std::size_t>(begin * row),
                                static_cast<std::size_t>((end - begin) * row));
}

void pack_tile(const WeightView& weights, std::int64_t index, std::byte* tile) {
  const std::int64_t begin = index * kColumnTile;
  const std::int64_t end = std::min(begin + kColumnTile, weights.n);
  // Columns past N are computed and thrown away; zeros keep them harmless.
  if (end - begin < kColumnTile) {
    std::memset(tile, 0, static_cast<std::size_t>(bytes_of_tile(weights)));
  }
  for (std::int64_t n = begin; n < end; ++n) {
    if (is_quantized(weights.type)) {
      pack_quantized_column(weights, n, tile);
    } else {
      pack_float_column(weights, n, tile);
    }
  }
}

}  // namespace

Status check_weights(const WeightView& weights) {
  if (weights.k < 1 || weights.n < 1 || weights.k > kMaxDimension || weights.n > kMaxDimension) {
    return bad_model("K and N must be 1 to 2^28, not " + std::to_string(weights.k) + " and " +
                     std::to_string(weights.n));
  }
  const bool quantized = is_quantized(weights.type);
  const std::int64_t units =
      weights.n * (quantized ? divide_up(weights.k, kQuantBlock) : weights.k);
  QUIRE_TRY(
      check_size("weight (in bytes)", weights.weight.size(), units * unit_bytes(weights.type)));
  QUIRE_TRY(check_size("scale", weights.scale.size(), quantized ? units : 0));
  if (quantized && weights.min.empty()) return ok_status();
  return check_size("min", weights.min.size(), quantized ? units : 0);
}

Result<std::size_t> PackedLinear::packed_bytes(const WeightView& weights) {
  QUIRE_TRY(check_weights(weights));
  return static_cast<std::size_t>(divide_up(weights.n, kColumnTile) * bytes_of_tile(weights));
}

Result<PackedLinear> PackedLinear::pack(const WeightView& weights,
                                        std::span<const float> bias,
                                        const PackOptions& options) {
  QUIRE_ASSIGN(const std::size_t bytes, packed_bytes(weights));
  if (!bias.empty()) QUIRE_TRY(check_size("bias", bias.size(), weights.n));
  PackedLinear packed;
  packed.kind_ = packed_kind(weights);
  packed.k_ = weights.k;
  packed.n_ = weights.n;
  packed.tile_bytes_ = bytes_of_tile(weights);
  if (options.memory == nullptr) packed.own_ = AlignedBuffer(bytes);
  std::byte* memory = options.memory != nullptr ? options.memory : packed.own_.data();
  packed.data_ = memory;
  const std::int64_t tiles = packed.num_tiles();
  const std::int64_t piece = std::max<std::int64_t>(kPieceBytes / packed.tile_bytes_, 1);
  SerialExecutor serial;
  Executor& executor = options.executor != nullptr ? *options.executor : serial;
  for_each_item(executor, divide_up(tiles, piece), [&](std::int64_t item, int) {
    const std::int64_t end = std::min((item + 1) * piece, tiles);
    for (std::int64_t tile = item * piece; tile < end; ++tile) {
      pack_tile(weights, tile, memory + tile * packed.tile_bytes_);
    }
    if (!options.done_with) return;
    options.done_with(
        plain_rows(weights, item * piece * kColumnTile, std::min(end * kColumnTile, weights.n)));
  });
  if (!bias.empty()) {
    packed.bias_ = AlignedBuffer(static_cast<std::size_t>(tiles * kColumnTile) * sizeof(float));
    std::memset(packed.bias_.data(), 0, packed.bias_.size());
    std::memcpy(packed.bias_.data(), bias.data(), bias.size_bytes());
  }
  return packed;
}

}  // namespace quire::kernels
