#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/kernel_context.h"
#include "kernels/kernel_table.h"
#include "kernels/linear.h"

namespace quire::kernels {

// All of these fail with kInvalidArgument when sizes do not fit, and each output row depends on
// its own input row alone, bit for bit.

// y = x / sqrt(mean(x^2) + epsilon) * weight for each row of weight.size() elements.
Status rms_norm(const KernelContext& context,
                std::span<const float> x,
                std::span<const float> weight,
                float epsilon,
                std::span<float> y);

// y = (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias; `bias` may be empty.
Status layer_norm(const KernelContext& context,
                  std::span<const float> x,
                  std::span<const float> weight,
                  std::span<const float> bias,
                  float epsilon,
                  std::span<float> y);

// The kind that model packages call `name` ("silu", "relu2", ...); SoftCap, which takes a
// parameter, has none.
std::optional<ActivationKind> activation_kind(std::string_view name);

// What `activate` computes: y = f(x), or gated f(gate) * up where x is rows of [gate, up].
struct ActivationParams {
  ActivationKind kind = ActivationKind::kSilu;
  bool gated = false;
  float cap = 0;  // of kSoftCap: finite and above zero
};

// y is rows of `width` elements.
Status activate(const KernelContext& context,
                const ActivationParams& params,
                std::span<const float> x,
                std::int64_t width,
                std::span<float> y);

// Rows `ids` of `weights`, which check_weights() has passed, dequantized into y [ids.size(), k]. An
// id outside [0, n) is an error and nothing is written.
Status embedding(const WeightView& weights, std::span<const std::int64_t> ids, std::span<float> y);

// The same bits from the matrix packed: a table that is the output layer too is held once.
Status embedding(const PackedLinear& weights,
                 std::span<const std::int64_t> ids,
                 std::span<float> y);

}  // namespace quire::kernels
