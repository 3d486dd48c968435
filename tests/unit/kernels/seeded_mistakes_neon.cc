#include "kernels/simd/neon.h"
#include "unit/kernels/seeded_mistakes_impl.h"

namespace quire::kernels {

std::vector<SeededMistake> mistakes_in_neon() {
  return mistakes_in<simd::Neon<simd::ArmDots::kNone>>();
}

}  // namespace quire::kernels
