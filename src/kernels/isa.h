#pragma once

#include <string_view>

#include "quire/result.h"

namespace quire::kernels {

// Which instructions the kernels use. Results are bit-equal on one path; between paths they are
// bit-equal where both fuse multiply-adds (every path of x86 and ARM but the portable one) or
// neither does (portable, WebAssembly), and equal within rounding otherwise. So a process chooses
// once and passes its choice to everything it makes. docs/arm64.md has the table.
enum class Isa {
  kPortable,     // plain C++, any machine; multiplies and adds apart
  kAvx2,         // x86 with AVX2, FMA and F16C
  kAvx512Vnni,   // x86 with AVX-512 F, BW, DQ, VL and VNNI
  kAmx,          // the same with AMX tiles for the largest products: faster, equal bits
  kNeon,         // 64-bit ARM, any
  kNeonDotProd,  // 64-bit ARM with SDOT
  kNeonI8mm,     // 64-bit ARM with SDOT and SMMLA
  kSimd128,      // WebAssembly; the bits of kPortable
};

// The stable name, as QUIRE_ISA spells it: "portable", "avx2", "avx512", "amx", "neon",
// "dotprod", "i8mm", "simd128".
std::string_view isa_name(Isa isa);

// Whether this build has the path and this processor can run it. Asking for kAmx also asks the
// operating system to let this process use the tiles, which is needed once and stays.
bool isa_supported(Isa isa);

// The path named by `forced`, or the best supported one when `forced` is empty. Fails with
// kInvalidArgument on an unknown name and on a path this machine cannot run.
Result<Isa> choose_isa(std::string_view forced);

// choose_isa() of the environment variable QUIRE_ISA.
Result<Isa> choose_isa_from_environment();

// Whether this processor gets weights for one row fastest in one sequence of addresses, as AMD's do
// (Zen 4, two cores over large pages: 55 GB/s, and 28 from four places at a time), and not from
// several places at a time, as Intel's do.
bool reads_fastest_in_sequence();

}  // namespace quire::kernels
