#include "kernels/activation_impl.h"
#include "kernels/attention_impl.h"
#include "kernels/elementwise_impl.h"
#include "kernels/kernel_table.h"
#include "kernels/linear_impl.h"
#include "kernels/simd/portable.h"

namespace quire::kernels {

const KernelTable& portable_kernels() {
  using simd::Portable;
  static constexpr KernelTable kTable = {Portable::kPanelRows,
                                         {sizeof(PanelBlock<Portable, ActivationBits::k8>),
                                          sizeof(PanelBlock<Portable, ActivationBits::k16>)},
                                         Portable::kTileColumns,
                                         quantize_panel<Portable>,
                                         linear_tiles<Portable>,
                                         write_cache<Portable>,
                                         attend<Portable>,
                                         rms_norm_rows<Portable>,
                                         layer_norm_rows<Portable>,
                                         activate_rows<Portable>};
  return kTable;
}

}  // namespace quire::kernels
