#include "kernels/kernels_neon_impl.h"

namespace quire::kernels {

const KernelTable& neon_dotprod_kernels() {
  static constexpr KernelTable kTable = neon_table<simd::ArmDots::kDotProd>();
  return kTable;
}

}  // namespace quire::kernels
