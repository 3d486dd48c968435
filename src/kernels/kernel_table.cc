#include "kernels/kernel_table.h"

namespace quire::kernels {

const KernelTable& kernel_table(Isa isa) {
#if defined(QUIRE_KERNELS_X86)
  if (isa == Isa::kAmx) return amx_kernels();
  if (isa == Isa::kAvx512Vnni) return avx512_kernels();
  if (isa == Isa::kAvx2) return avx2_kernels();
#endif
  static_cast<void>(isa);
  return portable_kernels();
}

}  // namespace quire::kernels
