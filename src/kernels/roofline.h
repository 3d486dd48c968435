#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace quire::kernels {

// What one thread did in a loop of nothing but the kernels' own multiply-adds, in registers, with
// independent chains enough to fill the pipelines: what the processor can do at most.
struct PeakRun {
  std::int64_t multiply_adds = 0;
  std::int64_t checksum = 0;  // of the result, which keeps the loop from being optimised away
};

// 8-bit multiply-adds into 32-bit sums with the widest instruction of the path, `rounds` times 12.
PeakRun run_int8_peak(Isa isa, std::int64_t rounds);

// 32-bit float multiply-adds, `rounds` times 12 registers.
PeakRun run_fp32_peak(Isa isa, std::int64_t rounds);

// One instruction set's loops; use the functions above.
struct PeakLoops {
  PeakRun (*int8)(std::int64_t rounds);
  PeakRun (*fp32)(std::int64_t rounds);
};
PeakLoops portable_peak_loops();
PeakLoops avx2_peak_loops();
PeakLoops avx512_peak_loops();

}  // namespace quire::kernels
