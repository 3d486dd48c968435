#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace quire::kernels {

// The seam between kernels (checked, any instruction set) and their inner loops, compiled once for
// each instruction set. Plain pointers, checked by the callers; nothing here allocates or fails.

constexpr int kColumnTile = 16;  // output columns side by side in vector lanes
constexpr int kQuantBlock = 32;  // elements that share a scale

enum class PackedKind : std::uint8_t { kQ4, kQ4Min, kQ8, kQ8Min, kFloat16, kBfloat16, kFloat32 };

// How finely a row of activations is quantized where it meets 4- and 8-bit weights.
enum class ActivationBits : std::uint8_t { k8, k16 };

// The largest magnitude of a quantized activation. The 16-bit one is 127 * 256 + 127: the most that
// two signed bytes can hold, the lower of which may be negative.
constexpr std::int32_t max_activation(ActivationBits bits) {
  return bits == ActivationBits::k8 ? 127 : 32639;
}

// Bytes that a block of one quantized row takes.
constexpr int activation_bytes(ActivationBits bits) {
  return bits == ActivationBits::k8 ? kQuantBlock : 2 * kQuantBlock;
}

// Rows of activations, quantized or not, and where their results go.
struct LinearCall {
  PackedKind kind = PackedKind::kFloat32;
  ActivationBits activation_bits = ActivationBits::k8;
  std::int64_t k = 0;
  std::int64_t n = 0;
  const std::uint8_t* weights = nullptr;  // [tile][block or k] as PackedLinear lays them out
  std::int64_t tile_bytes = 0;
  bool in_sequence = false;     // of one row: column tiles one after another, not side by side
  const float* bias = nullptr;  // padded to whole tiles, or null
  const float* x = nullptr;     // [rows, k]
  std::int64_t rows = 0;
  std::uint8_t* panels = nullptr;  // the rows quantized: [row panel][block], see linear_impl.h
  float* y = nullptr;              // [rows, n]
};

struct AttentionCall;  // attention_call.h
struct AttentionItem;

struct RmsNormCall {
  const float* x = nullptr;
  const float* weight = nullptr;
  float* y = nullptr;
  std::int64_t k = 0;
  float epsilon = 0;
};

struct LayerNormCall {
  const float* x = nullptr;
  const float* weight = nullptr;
  const float* bias = nullptr;  // or null
  float* y = nullptr;
  std::int64_t k = 0;
  float epsilon = 0;
};

// Functions of one element; kSoftCap is cap * tanh(x / cap).
enum class ActivationKind : std::uint8_t {
  kSilu,
  kGelu,
  kGeluTanh,
  kRelu,
  kReluSquared,
  kSigmoid,
  kTanh,
  kSoftCap
};

struct ActivationCall {
  ActivationKind kind = ActivationKind::kSilu;
  bool gated = false;        // y = f(gate) * up, the latter `up_offset` floats behind x
  const float* x = nullptr;  // rows of `width` elements, `x_stride` floats apart
  float* y = nullptr;        // rows of `width` elements, `y_stride` floats apart
  std::int64_t width = 0;
  std::int64_t x_stride = 0;
  std::int64_t up_offset = 0;
  std::int64_t y_stride = 0;
  float cap = 0;  // of kSoftCap
};

// The entry points of one instruction set. Ranges are [begin, end).
struct KernelTable {
  std::int64_t panel_rows;      // rows of a panel of quantized activations
  std::int64_t panel_bytes[2];  // of one panel's block, by ActivationBits
  std::int64_t tile_columns;    // column tiles of a piece of work
  void (*quantize_panel)(const LinearCall&, std::int64_t panel);
  void (*linear)(const LinearCall&,
                 std::int64_t tile_begin,
                 std::int64_t tile_end,
                 std::int64_t panel_begin,
                 std::int64_t panel_end);
  void (*write_cache)(const AttentionCall&,
                      std::int64_t sequence,
                      std::int64_t token,
                      float* scratch);
  void (*attend)(const AttentionCall&, const AttentionItem&, float* scratch);
  void (*rms_norm)(const RmsNormCall&, std::int64_t row_begin, std::int64_t row_end);
  void (*layer_norm)(const LayerNormCall&, std::int64_t row_begin, std::int64_t row_end);
  void (*activate)(const ActivationCall&, std::int64_t row_begin, std::int64_t row_end);
};

// The inner loops of `isa`, which this machine must support.
const KernelTable& kernel_table(Isa isa);

const KernelTable& portable_kernels();
#if defined(QUIRE_KERNELS_X86)
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
const KernelTable& amx_kernels();
#endif
#if defined(QUIRE_KERNELS_WASM)
const KernelTable& wasm_kernels();
#endif
#if defined(QUIRE_KERNELS_ARM64)
const KernelTable& neon_kernels();
const KernelTable& neon_dotprod_kernels();
const KernelTable& neon_i8mm_kernels();
#endif

}  // namespace quire::kernels
