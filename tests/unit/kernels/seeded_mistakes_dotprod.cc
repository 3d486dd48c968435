#include "kernels/simd/neon.h"
#include "unit/kernels/seeded_mistakes_impl.h"

namespace quire::kernels {

std::vector<SeededMistake> mistakes_in_dotprod() {
  return mistakes_in<simd::Neon<simd::ArmDots::kDotProd>>();
}

}  // namespace quire::kernels
