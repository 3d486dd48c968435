#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace quire::kernels {

// FNV-1a over the bits that an instruction set's inner loops make of one fixed input: every kind of
// linear layer with several rows and a rest of columns and elements, norms and activations. The
// input comes from integers alone, so it is the same on every machine and with every library.
std::uint64_t linear_bits(const KernelTable& table);
std::uint64_t elementwise_bits(const KernelTable& table);

// The same of attention over caches of every type, through the checked entry point.
std::uint64_t attention_bits(Isa isa);

}  // namespace quire::kernels
