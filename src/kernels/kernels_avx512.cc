#include "kernels/activation_impl.h"
#include "kernels/attention_impl.h"
#include "kernels/elementwise_impl.h"
#include "kernels/kernel_table.h"
#include "kernels/linear_impl.h"
#include "kernels/simd/avx512.h"

namespace quire::kernels {

const KernelTable& avx512_kernels() {
  using simd::Avx512;
  static constexpr KernelTable kTable = {Avx512::kPanelRows,
                                         {sizeof(PanelBlock<Avx512, ActivationBits::k8>),
                                          sizeof(PanelBlock<Avx512, ActivationBits::k16>)},
                                         Avx512::kTileColumns,
                                         quantize_panel<Avx512>,
                                         linear_tiles<Avx512>,
                                         write_cache<Avx512>,
                                         attend<Avx512>,
                                         rms_norm_rows<Avx512>,
                                         layer_norm_rows<Avx512>,
                                         activate_rows<Avx512>};
  return kTable;
}

}  // namespace quire::kernels
