#include "kernels/kernels_neon_impl.h"

namespace quire::kernels {

const KernelTable& neon_kernels() {
  static constexpr KernelTable kTable = neon_table<simd::ArmDots::kNone>();
  return kTable;
}

}  // namespace quire::kernels
