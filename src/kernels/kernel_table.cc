#include "kernels/kernel_table.h"

namespace quire::kernels {

const KernelTable& kernel_table(Isa isa) {
#if defined(QUIRE_KERNELS_X86)
  if (isa == Isa::kAmx) return amx_kernels();
  if (isa == Isa::kAvx512Vnni) return avx512_kernels();
  if (isa == Isa::kAvx2) return avx2_kernels();
#endif
#if defined(QUIRE_KERNELS_WASM)
  if (isa == Isa::kSimd128) return wasm_kernels();
#endif
#if defined(QUIRE_KERNELS_ARM64)
  if (isa == Isa::kNeonI8mm) return neon_i8mm_kernels();
  if (isa == Isa::kNeonDotProd) return neon_dotprod_kernels();
  if (isa == Isa::kNeon) return neon_kernels();
#endif
  static_cast<void>(isa);
  return portable_kernels();
}

}  // namespace quire::kernels
