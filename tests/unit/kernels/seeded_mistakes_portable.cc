#include "kernels/simd/portable.h"
#include "unit/kernels/seeded_mistakes_impl.h"

namespace quire::kernels {

std::vector<SeededMistake> mistakes_in_portable() { return mistakes_in<simd::Portable>(); }

}  // namespace quire::kernels
