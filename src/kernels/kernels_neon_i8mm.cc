#include "kernels/kernels_neon_impl.h"

namespace quire::kernels {

const KernelTable& neon_i8mm_kernels() {
  static constexpr KernelTable kTable = neon_table<simd::ArmDots::kI8mm>();
  return kTable;
}

}  // namespace quire::kernels
