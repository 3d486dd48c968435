#pragma once

#include "kernels/activation_impl.h"
#include "kernels/elementwise_impl.h"
#include "kernels/linear_impl.h"
#include "unit/kernels/seeded_mistakes.h"

// Included by one file for each SIMD struct, which is compiled with that struct's flags.
namespace quire::kernels {

// Integers of a register as memory shows them, changed by `edit(lanes)`.
template <typename V, typename Edit>
typename V::I edited(typename V::I v, const Edit& edit) {
  std::int32_t lanes[V::kLanes];
  V::store(reinterpret_cast<float*>(lanes), V::as_float(v));
  edit(lanes);
  return V::as_int(V::load(reinterpret_cast<const float*>(lanes)));
}

template <typename V>
struct LosesLowBytes : V {
  static void store_words(std::int8_t* row, int i, typename V::I v) {
    V::store_words(row, i, edited<V>(v, [](std::int32_t* lanes) {
                     for (int j = 0; j < V::kLanes; ++j) lanes[j] &= ~255;
                   }));
  }
};

template <typename V>
struct SwapsTwoColumns : V {
  template <int R>
  static void dot_8bit(typename V::I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    V::template dot_8bit<R>(acc, w, x);
    acc[R - 1] = edited<V>(acc[R - 1], [](std::int32_t* lanes) {
      const std::int32_t kept = lanes[3];
      lanes[3] = lanes[4];
      lanes[4] = kept;
    });
  }
};

template <typename V>
struct IsOffByOneInOneLane : V {
  template <int R>
  static void dot_4bit_wide(typename V::I (&acc)[R],
                            const std::uint8_t* w,
                            const std::int8_t (*x)[64]) {
    V::template dot_4bit_wide<R>(acc, w, x);
    acc[0] = edited<V>(acc[0], [](std::int32_t* lanes) { lanes[15] += 1; });
  }
};

template <typename V>
struct TakesAnotherRow : V {
  template <int R>
  static void dot_4bit(typename V::I (&acc)[R], const std::uint8_t* w, const std::int8_t (*x)[32]) {
    V::template dot_4bit<R>(acc, w, x);
    if constexpr (R > 1) acc[R - 1] = acc[R - 2];
  }
};

template <typename V>
struct SumsInAnotherOrder : V {
  static float reduce_add(typename V::F v) {
    float lanes[V::kLanes];
    V::store(lanes, v);
    float sum = 0;
    for (int i = 0; i < V::kLanes; ++i) sum += lanes[i];
    return sum;
  }
};

template <typename V>
KernelTable table_of() {
  return {V::kPanelRows,
          {sizeof(PanelBlock<V, ActivationBits::k8>), sizeof(PanelBlock<V, ActivationBits::k16>)},
          V::kTileColumns,
          quantize_panel<V>,
          linear_tiles<V>,
          nullptr,  // attention, which takes long to compile
          nullptr,
          rms_norm_rows<V>,
          layer_norm_rows<V>,
          activate_rows<V>};
}

template <typename V>
std::vector<SeededMistake> mistakes_in() {
  return {{"loses low bytes", table_of<LosesLowBytes<V>>()},
          {"swaps two columns", table_of<SwapsTwoColumns<V>>()},
          {"is off by one in one lane", table_of<IsOffByOneInOneLane<V>>()},
          {"takes another row", table_of<TakesAnotherRow<V>>()},
          {"sums in another order", table_of<SumsInAnotherOrder<V>>()}};
}

}  // namespace quire::kernels
