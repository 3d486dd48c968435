#pragma once

#include <cstdint>

namespace quire {

// A uniform number in [0, 1) with 53 random bits that depends on its three arguments only: the same
// request draws the same numbers whatever runs beside it. Philox 4x32-10 (Salmon et al., "Parallel
// random numbers: as easy as 1, 2, 3", 2011), the counter made of sample and position.
double uniform_at(std::uint64_t seed, std::uint32_t sample, std::uint64_t position);

}  // namespace quire
