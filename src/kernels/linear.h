#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "kernels/kernel_context.h"
#include "kernels/kernel_table.h"
#include "quire/result.h"

namespace quire::kernels {

// How a weight matrix is stored in a model package.
enum class WeightType : std::uint8_t { kInt4, kInt8, kFloat16, kBfloat16, kFloat32 };

// A weight matrix [n, k] as docs/model_package.md stores it, block by block of 32 where it is
// quantized. A view: what it points to belongs to someone else.
struct WeightView {
  std::int64_t k = 0;
  std::int64_t n = 0;
  WeightType type = WeightType::kFloat32;
  std::span<const std::byte> weight;
  std::span<const std::uint16_t> scale;  // float16 [n, blocks]; empty unless quantized
  std::span<const std::uint16_t> min;    // the same, or empty: no minimum
};

// Fails with kBadModel unless every tensor has exactly the size that k, n and the type say.
Status check_weights(const WeightView& weights);

// How packing goes about it; nothing of it changes the result.
struct PackOptions {
  std::byte* memory = nullptr;  // packed_bytes() aligned to 64, which outlive the matrix; null: own
  Executor* executor = nullptr;  // threads to pack with; null: the calling one
  // Told of each stretch of WeightView::weight once it has been read for the last time; from any of
  // the executor's threads. May be empty.
  std::function<void(std::span<const std::byte>)> done_with = {};
};

// A weight matrix rearranged for the inner loops: sixteen output columns side by side, so that each
// output element is one chain of sums. 4-bit weights stay 4-bit. Immutable once made.
//
//   [column tile][block] { quants: [4 or 8][16 columns][4 bytes], scales: [16], minima?: [16] }
//   [column tile][k][16 columns] for 16- and 32-bit weights
class PackedLinear {
 public:
  // What the packed weights take, the bias apart. Fails as check_weights() does.
  static Result<std::size_t> packed_bytes(const WeightView& weights);

  // Copies what `weights` and `bias` ([n] or empty) show; they are not needed afterwards. Fails as
  // check_weights() does. Throws std::bad_alloc when there is no memory.
  static Result<PackedLinear> pack(const WeightView& weights,
                                   std::span<const float> bias,
                                   const PackOptions& options = {});

  std::int64_t k() const { return k_; }
  std::int64_t n() const { return n_; }
  PackedKind kind() const { return kind_; }
  bool is_quantized() const { return kind_ <= PackedKind::kQ8Min; }
  std::int64_t num_tiles() const { return (n_ + kColumnTile - 1) / kColumnTile; }
  std::int64_t tile_bytes() const { return tile_bytes_; }
  const std::uint8_t* tiles() const { return reinterpret_cast<const std::uint8_t*>(data_); }
  // Padded to whole tiles; null without a bias.
  const float* bias() const { return reinterpret_cast<const float*>(bias_.data()); }
  std::size_t memory_bytes() const {
    return static_cast<std::size_t>(num_tiles() * tile_bytes_) + bias_.size();
  }

 private:
  PackedLinear() = default;

  PackedKind kind_ = PackedKind::kFloat32;
  std::int64_t k_ = 0;
  std::int64_t n_ = 0;
  std::int64_t tile_bytes_ = 0;
  const std::byte* data_ = nullptr;  // in own_, or in the memory that was lent
  AlignedBuffer own_;
  AlignedBuffer bias_;
};

// y [rows, n] = x [rows, k] times the transposed weights, plus the bias. A row of y depends on that
// row of x alone, bit for bit. For 4- and 8-bit weights x is quantized per row and block of 32 to
// `activation_bits`, which other weights ignore, and
//   y = sum over ascending blocks of (scale * sx) * sum(q * xq) + min * (sx * sum(xq)),
// the inner sums exact. Fails with kInvalidArgument when sizes do not fit. Throws std::bad_alloc
// when the workspace cannot grow.
Status linear(const KernelContext& context,
              const PackedLinear& weights,
              ActivationBits activation_bits,
              std::span<const float> x,
              std::span<float> y);

// Rows of x as several matrices take them.
struct LinearRows {
  std::span<const float> x;     // [rows, K]
  std::span<const float> norm;  // [K]: each row goes through rms_norm() with it first; empty: not
  float epsilon = 0;            // of the norm
};

// One matrix the rows meet, and what becomes of its outputs.
struct LinearTarget {
  const PackedLinear* weights = nullptr;
  ActivationBits activation_bits = ActivationBits::k8;
  std::span<float> y;                    // [rows, n], or [rows, n / 2] when gated
  std::span<const float> residual;       // added to y, which it must not overlap; empty: nothing
  const ActivationKind* gate = nullptr;  // y = gate(left half) * right half, as activate(); null:
                                         // not. Needs can_gate() and no residual.
};

// Whether the two halves of the outputs lie in whole column tiles.
inline bool can_gate(const PackedLinear& weights) { return weights.n() % (2 * kColumnTile) == 0; }

constexpr std::size_t kMaxLinearTargets = 4;

// The same bits as rms_norm(), linear(), activate() and an addition one after another, with the
// rows normalized and quantized once and one wait for all threads at the end. All weights have the
// same K, those that are quantized one kind and the same activation bits. Fails and throws as
// linear() does.
Status linear_group(const KernelContext& context,
                    const LinearRows& rows,
                    std::span<const LinearTarget> targets);

}  // namespace quire::kernels
