#pragma once

#include <cstdint>

#include "kernels/roofline.h"

namespace quire::kernels {

constexpr int kPeakChains = 12;  // latency of 4 to 6 cycles times two instructions a cycle

// `Unit` has a register type V, a start value, a step (one multiply-add of every lane), the number
// of multiply-adds in a step and a way to see a result.
template <typename Unit>
PeakRun run_peak(std::int64_t rounds) {
  typename Unit::V chains[kPeakChains];
  for (auto& chain : chains) chain = Unit::start();
  typename Unit::V a = Unit::start();
  const typename Unit::V b = Unit::start();
  for (std::int64_t round = 0; round < rounds; ++round) {
    // The compiler must not see that every round does the same. Only `a` is hidden from it: to hide
    // the chains would keep them in memory instead of registers.
    asm volatile("" : "+x"(a));
    for (auto& chain : chains) chain = Unit::step(chain, a, b);
  }
  PeakRun run{.multiply_adds = rounds * kPeakChains * Unit::kMultiplyAdds, .checksum = 0};
  for (const auto& chain : chains) run.checksum += Unit::see(chain);
  return run;
}

}  // namespace quire::kernels
