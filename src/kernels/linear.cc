#include "kernels/linear.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace quire::kernels {
namespace {

// Keeps every product of sizes below 2^63.
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 28;

// Below this many multiply-adds waking threads costs more than it gains.
constexpr std::int64_t kMinParallelWork = 100'000;

// Rows of one work item: enough to use the weights well, few enough to share out.
constexpr std::int64_t kItemRows = 128;

// Few rows go through several column tiles at a time. More keep a thread busy with fewer, and work
// cut finer lets the threads end together.
constexpr std::int64_t kFewRows = 4;
constexpr std::int64_t kManyRowsColumns = 2;

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

Result<PackedLinear> PackedLinear::pack(const WeightView& weights, std::span<const float> bias) {
  QUIRE_TRY(check_weights(weights));
  if (!bias.empty()) QUIRE_TRY(check_size("bias", bias.size(), weights.n));
  const std::int64_t tiles = divide_up(weights.n, kColumnTile);
  const std::int64_t unit = unit_bytes(weights.type) * kColumnTile;
  const bool quantized = is_quantized(weights.type);
  PackedLinear packed;
  packed.kind_ = packed_kind(weights);
  packed.k_ = weights.k;
  packed.n_ = weights.n;
  packed.tile_bytes_ = quantized ? divide_up(weights.k, kQuantBlock) *
                                       (unit + kColumnTile * (weights.min.empty() ? 2 : 4))
                                 : weights.k * unit;
  packed.weights_ = AlignedBuffer(static_cast<std::size_t>(tiles * packed.tile_bytes_));
  // Columns past N in the last tile are computed and thrown away; zeros keep them harmless.
  std::byte* last = packed.weights_.data() + (tiles - 1) * packed.tile_bytes_;
  std::memset(last, 0, static_cast<std::size_t>(packed.tile_bytes_));
  for (std::int64_t n = 0; n < weights.n; ++n) {
    std::byte* tile = packed.weights_.data() + n / kColumnTile * packed.tile_bytes_;
    if (quantized) {
      pack_quantized_column(weights, n, tile);
    } else {
      pack_float_column(weights, n, tile);
    }
  }
  if (!bias.empty()) {
    packed.bias_ = AlignedBuffer(static_cast<std::size_t>(tiles * kColumnTile) * sizeof(float));
    std::memset(packed.bias_.data(), 0, packed.bias_.size());
    std::memcpy(packed.bias_.data(), bias.data(), bias.size_bytes());
  }
  return packed;
}

Status linear(const KernelContext& context,
              const PackedLinear& weights,
              ActivationBits activation_bits,
              std::span<const float> x,
              std::span<float> y) {
  const auto rows = static_cast<std::int64_t>(x.size()) / weights.k_;
  if (rows * weights.k_ != static_cast<std::int64_t>(x.size()) ||
      rows > std::numeric_limits<std::int64_t>::max() / weights.n_ ||
      rows * weights.n_ != static_cast<std::int64_t>(y.size())) {
    return invalid_argument("linear: x must be [rows, K] and y [rows, N]");
  }
  if (rows == 0) return ok_status();
  const KernelTable& table = kernel_table(context.isa);
  LinearCall call;
  call.kind = weights.kind_;
  call.activation_bits = activation_bits;
  call.k = weights.k_;
  call.n = weights.n_;
  call.weights = reinterpret_cast<const std::uint8_t*>(weights.weights_.data());
  call.tile_bytes = weights.tile_bytes_;
  call.bias = reinterpret_cast<const float*>(weights.bias_.data());
  call.x = x.data();
  call.rows = rows;
  call.y = y.data();
  SerialExecutor serial;
  const bool small = rows * weights.n_ < kMinParallelWork / weights.k_;
  Executor& executor = small ? static_cast<Executor&>(serial) : context.executor;

  const std::int64_t panels = divide_up(rows, table.panel_rows);
  if (weights.kind_ <= PackedKind::kQ8Min) {
    const std::int64_t blocks = divide_up(weights.k_, kQuantBlock);
    const std::int64_t bytes =
        panels * blocks * table.panel_bytes[static_cast<std::size_t>(activation_bits)];
    call.panels =
        reinterpret_cast<std::uint8_t*>(context.workspace.reserve(static_cast<std::size_t>(bytes)));
    Executor& quantizer = panels == 1 ? static_cast<Executor&>(serial) : executor;
    for_each_item(
        quantizer, panels, [&](std::int64_t panel, int) { table.quantize_panel(call, panel); });
  }
  const std::int64_t tiles = divide_up(weights.n_, kColumnTile);
  const std::int64_t columns = rows > kFewRows ? kManyRowsColumns : table.tile_columns;
  const std::int64_t groups = divide_up(tiles, columns);
  const std::int64_t item_panels = kItemRows / table.panel_rows;
  const std::int64_t row_items = divide_up(panels, item_panels);
  for_each_item(executor, groups * row_items, [&](std::int64_t item, int) {
    const std::int64_t tile = item / row_items * columns;
    const std::int64_t panel = item % row_items * item_panels;
    table.linear(
        call, tile, std::min(tile + columns, tiles), panel, std::min(panel + item_panels, panels));
  });
  return ok_status();
}

}  // namespace quire::kernels
