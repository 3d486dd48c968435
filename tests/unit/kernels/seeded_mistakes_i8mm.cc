#include "kernels/simd/neon.h"
#include "unit/kernels/seeded_mistakes_impl.h"

namespace quire::kernels {

std::vector<SeededMistake> mistakes_in_i8mm() {
  return mistakes_in<simd::Neon<simd::ArmDots::kI8mm>>();
}

}  // namespace quire::kernels
