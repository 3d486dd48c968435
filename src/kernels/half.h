#pragma once

#include <cstdint>

namespace quire::kernels {

// The value of an IEEE half-precision number, exactly.
float half_to_float(std::uint16_t half);

// The value of a bfloat16, exactly.
float bfloat16_to_float(std::uint16_t bits);

}  // namespace quire::kernels
