#include "kernels/activation_impl.h"
#include "kernels/attention_impl.h"
#include "kernels/elementwise_impl.h"
#include "kernels/kernel_table.h"
#include "kernels/linear_impl.h"
#include "kernels/simd/avx2.h"

namespace quire::kernels {

const KernelTable& avx2_kernels() {
  using simd::Avx2;
  static constexpr KernelTable kTable = {
      Avx2::kPanelRows,
      {sizeof(PanelBlock<Avx2, ActivationBits::k8>), sizeof(PanelBlock<Avx2, ActivationBits::k16>)},
      Avx2::kTileColumns,
      quantize_panel<Avx2>,
      linear_tiles<Avx2>,
      write_cache<Avx2>,
      attend<Avx2>,
      rms_norm_rows<Avx2>,
      layer_norm_rows<Avx2>,
      activate_rows<Avx2>};
  return kTable;
}

}  // namespace quire::kernels
