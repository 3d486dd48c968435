#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_context.h"
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

// x is rows of [gate, up], `width` elements each; y is rows of silu(gate) * up.
Status swiglu(const KernelContext& context,
              std::span<const float> x,
              std::int64_t width,
              std::span<float> y);

// Rows `ids` of `weights`, which check_weights() has passed, dequantized into y [ids.size(), k]. An
// id outside [0, n) is an error and nothing is written.
Status embedding(const WeightView& weights, std::span<const std::int64_t> ids, std::span<float> y);

}  // namespace quire::kernels
