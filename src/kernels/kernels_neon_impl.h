#pragma once

#include "kernels/activation_impl.h"
#include "kernels/attention_impl.h"
#include "kernels/elementwise_impl.h"
#include "kernels/kernel_table.h"
#include "kernels/linear_impl.h"
#include "kernels/simd/neon.h"

// Included by one file for each set of byte products; see simd/portable.h for the rules of such
// code.
namespace quire::kernels {

template <simd::ArmDots kDots>
constexpr KernelTable neon_table() {
  using V = simd::Neon<kDots>;
  return {V::kPanelRows,
          {sizeof(PanelBlock<V, ActivationBits::k8>), sizeof(PanelBlock<V, ActivationBits::k16>)},
          V::kTileColumns,
          quantize_panel<V>,
          linear_tiles<V>,
          write_cache<V>,
          attend<V>,
          rms_norm_rows<V>,
          layer_norm_rows<V>,
          activate_rows<V>};
}

}  // namespace quire::kernels
