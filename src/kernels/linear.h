#pragma once

#include <cstddef>
#include <cstdint>
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

// A weight matrix rearranged for the inner loops: sixteen output columns side by side, so that each
// output element is one chain of sums. 4-bit weights stay 4-bit. Immutable once made.
//
//   [column tile][block] { quants: [4 or 8][16 columns][4 bytes], scales: [16], minima?: [16] }
//   [column tile][k][16 columns] for 16- and 32-bit weights
class PackedLinear {
 public:
  // Copies what `weights` and `bias` ([n] or empty) show; they are not needed afterwards. Fails as
  // check_weights() does. Throws std::bad_alloc when there is no memory.
  static Result<PackedLinear> pack(const WeightView& weights, std::span<const float> bias);

  std::int64_t k() const { return k_; }
  std::int64_t n() const { return n_; }
  std::size_t memory_bytes() const { return weights_.size() + bias_.size(); }

 private:
  friend Status linear(const KernelContext& context,
                       const PackedLinear& weights,
                       ActivationBits activation_bits,
                       std::span<const float> x,
                       std::span<float> y);

  PackedLinear() = default;

  PackedKind kind_ = PackedKind::kFloat32;
  std::int64_t k_ = 0;
  std::int64_t n_ = 0;
  std::int64_t tile_bytes_ = 0;
  AlignedBuffer weights_;
  AlignedBuffer bias_;  // padded to whole tiles; empty without a bias
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

}  // namespace quire::kernels
