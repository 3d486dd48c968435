#include "kernels/activation_impl.h"
#include "kernels/attention_impl.h"
#include "kernels/elementwise_impl.h"
#include "kernels/kernel_table.h"
#include "kernels/linear_impl.h"
#include "kernels/simd/wasm128.h"

namespace quire::kernels {

const KernelTable& wasm_kernels() {
  using simd::Wasm128;
  static constexpr KernelTable kTable = {Wasm128::kPanelRows,
                                         {sizeof(PanelBlock<Wasm128, ActivationBits::k8>),
                                          sizeof(PanelBlock<Wasm128, ActivationBits::k16>)},
                                         Wasm128::kTileColumns,
                                         quantize_panel<Wasm128>,
                                         linear_tiles<Wasm128>,
                                         write_cache<Wasm128>,
                                         attend<Wasm128>,
                                         rms_norm_rows<Wasm128>,
                                         layer_norm_rows<Wasm128>,
                                         activate_rows<Wasm128>};
  return kTable;
}

}  // namespace quire::kernels
