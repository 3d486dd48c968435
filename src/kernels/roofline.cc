#include "kernels/roofline.h"

#include <cstdint>

namespace quire::kernels {
namespace {

// Plain C++ sums that the compiler may put into whatever vectors the build allows.
template <typename In, typename Sum>
PeakRun run_portable(std::int64_t rounds) {
  constexpr std::int64_t kLanes = 256;
  Sum sums[kLanes] = {};
  In a[kLanes];
  In b[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) a[i] = b[i] = In(1);
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (std::int64_t i = 0; i < kLanes; ++i) {
      sums[i] += static_cast<Sum>(a[i]) * static_cast<Sum>(b[i]);
    }
    a[round % kLanes] = In(round % 3);
  }
  PeakRun run{.multiply_adds = rounds * kLanes, .checksum = 0};
  for (const Sum sum : sums) run.checksum += static_cast<std::int64_t>(sum);
  return run;
}

PeakLoops loops_of(Isa isa) {
#if defined(QUIRE_KERNELS_X86)
  if (isa == Isa::kAvx512Vnni || isa == Isa::kAmx) return avx512_peak_loops();
  if (isa == Isa::kAvx2) return avx2_peak_loops();
#endif
  static_cast<void>(isa);
  return portable_peak_loops();
}

}  // namespace

PeakLoops portable_peak_loops() {
  return {run_portable<std::int8_t, std::int32_t>, run_portable<float, float>};
}

PeakRun run_int8_peak(Isa isa, std::int64_t rounds) { return loops_of(isa).int8(rounds); }
PeakRun run_fp32_peak(Isa isa, std::int64_t rounds) { return loops_of(isa).fp32(rounds); }

}  // namespace quire::kernels
