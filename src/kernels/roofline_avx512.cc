#include <immintrin.h>

#include <cstdint>

#include "kernels/roofline_impl.h"

namespace quire::kernels {
namespace {

struct Int8Unit {
  using V = __m512i;
  static constexpr std::int64_t kMultiplyAdds = 64;
  static V start() { return _mm512_set1_epi8(1); }
  static V step(V sum, V a, V b) { return _mm512_dpbusd_epi32(sum, a, b); }
  static std::int64_t see(V v) { return _mm512_reduce_add_epi32(v); }
};

struct Fp32Unit {
  using V = __m512;
  static constexpr std::int64_t kMultiplyAdds = 16;
  static V start() { return _mm512_set1_ps(0.5F); }
  static V step(V sum, V a, V b) { return _mm512_fmadd_ps(a, b, sum); }
  static std::int64_t see(V v) { return static_cast<std::int64_t>(_mm512_reduce_add_ps(v)); }
};

}  // namespace

PeakLoops avx512_peak_loops() { return {run_peak<Int8Unit>, run_peak<Fp32Unit>}; }

}  // namespace quire::kernels
