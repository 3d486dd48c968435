#include "kernels/elementwise.h"

#include <cmath>
#include <cstring>
#include <string>

#include "kernels/half.h"
#include "kernels/kernel_table.h"

namespace quire::kernels {
namespace {

// Below this many elements waking threads costs more than it gains.
constexpr std::int64_t kMinParallelElements = 32768;
constexpr std::int64_t kItemElements = 8192;

// Calls rows(begin, end) for all `rows` rows of `width` elements, some at a time.
void for_each_rows(const KernelContext& context,
                   std::int64_t rows,
                   std::int64_t width,
                   FunctionRef<void(std::int64_t, std::int64_t)> body) {
  if (rows * width < kMinParallelElements) return body(0, rows);
  const std::int64_t step = kItemElements / width + 1;
  for_each_item(context.executor, (rows + step - 1) / step, [&](std::int64_t item, int) {
    const std::int64_t end = (item + 1) * step;
    body(item * step, end < rows ? end : rows);
  });
}

template <typename T>
T read(std::span<const std::byte> from, std::int64_t index) {
  T value;
  std::memcpy(&value, from.data() + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

float quantized_element(const WeightView& weights, std::int64_t row, std::int64_t i) {
  const std::int64_t blocks = (weights.k + kQuantBlock - 1) / kQuantBlock;
  const std::int64_t block = row * blocks + i / kQuantBlock;
  const std::int64_t place = i % kQuantBlock;
  const auto index = static_cast<std::size_t>(block);
  const float scale = half_to_float(weights.scale[index]);
  float q = 0;
  if (weights.type == WeightType::kInt8) {
    q = static_cast<float>(read<std::int8_t>(weights.weight, block * kQuantBlock + place));
  } else {
    constexpr int kHalf = kQuantBlock / 2;
    const int both = read<std::uint8_t>(weights.weight, block * kHalf + place % kHalf);
    const int nibble = place < kHalf ? both & 15 : both >> 4;
    q = static_cast<float>(weights.min.empty() ? nibble - 8 : nibble);
  }
  const float value = scale * q;
  return weights.min.empty() ? value : value + half_to_float(weights.min[index]);
}

float element(const WeightView& weights, std::int64_t row, std::int64_t i) {
  const std::int64_t index = row * weights.k + i;
  switch (weights.type) {
    case WeightType::kFloat16:
      return half_to_float(read<std::uint16_t>(weights.weight, index));
    case WeightType::kBfloat16:
      return bfloat16_to_float(read<std::uint16_t>(weights.weight, index));
    case WeightType::kFloat32:
      return read<float>(weights.weight, index);
    case WeightType::kInt4:
    case WeightType::kInt8:
      break;
  }
  return quantized_element(weights, row, i);
}

}  // namespace

Status rms_norm(const KernelContext& context,
                std::span<const float> x,
                std::span<const float> weight,
                float epsilon,
                std::span<float> y) {
  if (weight.empty() || x.size() % weight.size() != 0 || y.size() != x.size()) {
    return invalid_argument("rms_norm: x and y must be [rows, K] and weight [K]");
  }
  RmsNormCall call;
  call.x = x.data();
  call.weight = weight.data();
  call.y = y.data();
  call.k = static_cast<std::int64_t>(weight.size());
  call.epsilon = epsilon;
  const KernelTable& table = kernel_table(context.isa);
  for_each_rows(context,
                static_cast<std::int64_t>(x.size()) / call.k,
                call.k,
                [&](std::int64_t begin, std::int64_t end) { table.rms_norm(call, begin, end); });
  return ok_status();
}

Status layer_norm(const KernelContext& context,
                  std::span<const float> x,
                  std::span<const float> weight,
                  std::span<const float> bias,
                  float epsilon,
                  std::span<float> y) {
  if (weight.empty() || x.size() % weight.size() != 0 || y.size() != x.size() ||
      (!bias.empty() && bias.size() != weight.size())) {
    return invalid_argument("layer_norm: x and y must be [rows, K], weight and bias [K]");
  }
  LayerNormCall call;
  call.x = x.data();
  call.weight = weight.data();
  call.bias = bias.empty() ? nullptr : bias.data();
  call.y = y.data();
  call.k = static_cast<std::int64_t>(weight.size());
  call.epsilon = epsilon;
  const KernelTable& table = kernel_table(context.isa);
  for_each_rows(context,
                static_cast<std::int64_t>(x.size()) / call.k,
                call.k,
                [&](std::int64_t begin, std::int64_t end) { table.layer_norm(call, begin, end); });
  return ok_status();
}

std::optional<ActivationKind> activation_kind(std::string_view name) {
  if (name == "silu") return ActivationKind::kSilu;
  if (name == "gelu") return ActivationKind::kGelu;
  if (name == "gelu_tanh") return ActivationKind::kGeluTanh;
  if (name == "relu") return ActivationKind::kRelu;
  if (name == "relu2") return ActivationKind::kReluSquared;
  if (name == "sigmoid") return ActivationKind::kSigmoid;
  if (name == "tanh") return ActivationKind::kTanh;
  return std::nullopt;
}

Status activate(const KernelContext& context,
                const ActivationParams& params,
                std::span<const float> x,
                std::int64_t width,
                std::span<float> y) {
  const auto size = static_cast<std::int64_t>(y.size());
  const std::size_t parts = params.gated ? 2 : 1;
  if (width < 1 || size % width != 0 || x.size() / parts != y.size() || x.size() % parts != 0) {
    return invalid_argument("activate: y must be [rows, width] and x as wide, or twice if gated");
  }
  if (params.kind == ActivationKind::kSoftCap && !(params.cap > 0 && std::isfinite(params.cap))) {
    return invalid_argument("activate: cap must be a positive number");
  }
  ActivationCall call;
  call.kind = params.kind;
  call.gated = params.gated;
  call.x = x.data();
  call.y = y.data();
  call.width = width;
  call.x_stride = params.gated ? 2 * width : width;
  call.up_offset = width;
  call.y_stride = width;
  call.cap = params.cap;
  const KernelTable& table = kernel_table(context.isa);
  for_each_rows(context, size / width, width, [&](std::int64_t begin, std::int64_t end) {
    table.activate(call, begin, end);
  });
  return ok_status();
}

namespace {

Status check_embedding(std::int64_t k,
                       std::int64_t n,
                       std::span<const std::int64_t> ids,
                       std::span<float> y) {
  if (k == 0 || y.size() / static_cast<std::size_t>(k) != ids.size() ||
      y.size() % static_cast<std::size_t>(k) != 0) {
    return invalid_argument("embedding: y must be [number of ids, K]");
  }
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= n) {
      return invalid_argument("token id " + std::to_string(id) + " is not in 0 ... " +
                              std::to_string(n - 1));
    }
  }
  return ok_status();
}

// Element i of column n of a packed matrix; see PackedLinear for where it lies.
float packed_element(const PackedLinear& weights, std::int64_t n, std::int64_t i) {
  const std::uint8_t* tile = weights.tiles() + n / kColumnTile * weights.tile_bytes();
  const std::int64_t column = n % kColumnTile;
  const auto* units = reinterpret_cast<const std::byte*>(tile);
  const std::span<const std::byte> elements(units, static_cast<std::size_t>(weights.tile_bytes()));
  switch (weights.kind()) {
    case PackedKind::kFloat16:
      return half_to_float(read<std::uint16_t>(elements, i * kColumnTile + column));
    case PackedKind::kBfloat16:
      return bfloat16_to_float(read<std::uint16_t>(elements, i * kColumnTile + column));
    case PackedKind::kFloat32:
      return read<float>(elements, i * kColumnTile + column);
    default:
      break;
  }
  const bool is_q4 = weights.kind() <= PackedKind::kQ4Min;
  const bool has_min = weights.kind() == PackedKind::kQ4Min || weights.kind() == PackedKind::kQ8Min;
  const std::int64_t quants = (is_q4 ? kQuantBlock / 2 : kQuantBlock) * kColumnTile;
  const std::int64_t block_bytes = quants + kColumnTile * (has_min ? 4 : 2);
  const auto block = elements.subspan(static_cast<std::size_t>(i / kQuantBlock * block_bytes));
  const std::int64_t place = i % kQuantBlock;
  const std::int64_t byte = is_q4 ? place % (kQuantBlock / 2) : place;
  const std::int64_t at = (byte / 4 * kColumnTile + column) * 4 + byte % 4;
  float q = 0;
  if (is_q4) {
    const int both = read<std::uint8_t>(block, at);
    const int nibble = place < kQuantBlock / 2 ? both & 15 : both >> 4;
    q = static_cast<float>(has_min ? nibble : nibble - 8);
  } else {
    q = static_cast<float>(read<std::int8_t>(block, at));
  }
  const auto scales = block.subspan(static_cast<std::size_t>(quants));
  const float value = half_to_float(read<std::uint16_t>(scales, column)) * q;
  if (!has_min) return value;
  return value + half_to_float(read<std::uint16_t>(scales, kColumnTile + column));
}

}  // namespace

Status embedding(const WeightView& weights, std::span<const std::int64_t> ids, std::span<float> y) {
  QUIRE_TRY(check_embedding(weights.k, weights.n, ids, y));
  float* to = y.data();
  for (const std::int64_t id : ids) {
    for (std::int64_t i = 0; i < weights.k; ++i) *to++ = element(weights, id, i);
  }
  return ok_status();
}

Status embedding(const PackedLinear& weights,
                 std::span<const std::int64_t> ids,
                 std::span<float> y) {
  QUIRE_TRY(check_embedding(weights.k(), weights.n(), ids, y));
  float* to = y.data();
  for (const std::int64_t id : ids) {
    for (std::int64_t i = 0; i < weights.k(); ++i) *to++ = packed_element(weights, id, i);
  }
  return ok_status();
}

}  // namespace quire::kernels
