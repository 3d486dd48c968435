#pragma once

#include <string_view>
#include <vector>

#include "kernels/kernel_table.h"

namespace quire::kernels {

// Inner loops with one mistake put in, as somebody who writes kernels makes them.
struct SeededMistake {
  std::string_view name;
  KernelTable table;
};

// The mistakes over the SIMD struct of `isa`; empty where this build has none for it.
std::vector<SeededMistake> seeded_mistakes(Isa isa);

std::vector<SeededMistake> mistakes_in_portable();
std::vector<SeededMistake> mistakes_in_neon();
std::vector<SeededMistake> mistakes_in_dotprod();
std::vector<SeededMistake> mistakes_in_i8mm();

}  // namespace quire::kernels
