#include <immintrin.h>

#include <cstdint>

#include "kernels/roofline_impl.h"

namespace quire::kernels {
namespace {

struct Int8Unit {
  using V = __m256i;
  static constexpr std::int64_t kMultiplyAdds = 32;
  static V start() { return _mm256_set1_epi8(1); }
  static V step(V sum, V a, V b) {
    const V pairs = _mm256_maddubs_epi16(a, b);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static std::int64_t see(V v) { return _mm256_extract_epi32(v, 0); }
};

struct Fp32Unit {
  using V = __m256;
  static constexpr std::int64_t kMultiplyAdds = 8;
  static V start() { return _mm256_set1_ps(0.5F); }
  static V step(V sum, V a, V b) { return _mm256_fmadd_ps(a, b, sum); }
  static std::int64_t see(V v) { return static_cast<std::int64_t>(_mm256_cvtss_f32(v)); }
};

}  // namespace

PeakLoops avx2_peak_loops() { return {run_peak<Int8Unit>, run_peak<Fp32Unit>}; }

}  // namespace quire::kernels
