#include "kernels/isa.h"

#if defined(QUIRE_KERNELS_X86)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(QUIRE_KERNELS_ARM64) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include <array>
#include <cstdlib>
#include <string>

namespace quire::kernels {
namespace {

constexpr std::array<Isa, 8> kBestFirst = {Isa::kAmx,
                                           Isa::kAvx512Vnni,
                                           Isa::kAvx2,
                                           Isa::kNeonI8mm,
                                           Isa::kNeonDotProd,
                                           Isa::kNeon,
                                           Isa::kSimd128,
                                           Isa::kPortable};

#if defined(QUIRE_KERNELS_X86)
// Whether the processor has 8-bit tiles and Linux gives them to this process.
bool amx_permitted() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr unsigned kTile = 1U << 24U;
  constexpr unsigned kInt8 = 1U << 25U;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kTile) == 0 || (edx & kInt8) == 0) return false;
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

#if defined(QUIRE_KERNELS_ARM64)
bool has_dotprod() {
#if defined(__linux__)
  constexpr unsigned long kDotProd = 1UL << 20U;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProd) != 0;
#elif defined(__ARM_FEATURE_DOTPROD)
  return true;  // the least processor of the target has it
#else
  return false;
#endif
}

bool has_i8mm() {
#if defined(__linux__)
  constexpr unsigned long kI8mm = 1UL << 13U;  // HWCAP2_I8MM
  return (getauxval(AT_HWCAP2) & kI8mm) != 0;
#elif defined(__ARM_FEATURE_MATMUL_INT8)
  return true;
#else
  return false;
#endif
}
#endif

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kAmx:
      return "amx";
    case Isa::kAvx512Vnni:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kNeonI8mm:
      return "i8mm";
    case Isa::kNeonDotProd:
      return "dotprod";
    case Isa::kNeon:
      return "neon";
    case Isa::kSimd128:
      return "simd128";
    case Isa::kPortable:
      break;
  }
  return "portable";
}

bool isa_supported(Isa isa) {
#if defined(QUIRE_KERNELS_X86)
  // These builtins also ask the operating system whether it saves the wide registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  if (isa == Isa::kAvx2) return avx2;
  if (isa == Isa::kAvx512Vnni) return avx2 && avx512;
  if (isa == Isa::kAmx) return avx2 && avx512 && amx_permitted();
#endif
#if defined(QUIRE_KERNELS_ARM64)
  if (isa == Isa::kNeon) return true;
  if (isa == Isa::kNeonDotProd) return has_dotprod();
  if (isa == Isa::kNeonI8mm) return has_dotprod() && has_i8mm();
#endif
#if defined(QUIRE_KERNELS_WASM)
  if (isa == Isa::kSimd128) return true;
#endif
  return isa == Isa::kPortable;
}

Result<Isa> choose_isa(std::string_view forced) {
  for (const Isa isa : kBestFirst) {
    if (!forced.empty() && forced != isa_name(isa)) continue;
    if (isa_supported(isa)) return isa;
    if (!forced.empty()) {
      return invalid_argument("QUIRE_ISA=" + std::string(forced) +
                              " asks for instructions this machine or build does not have; unset it"
                              " to use the best that it has");
    }
  }
  return invalid_argument(
      "QUIRE_ISA=" + std::string(forced.substr(0, 32)) +
      " is unknown; use portable, avx2, avx512 or amx (on ARM: neon, dotprod or i8mm)");
}

bool reads_fastest_in_sequence() {
#if defined(QUIRE_KERNELS_X86)
  static const bool is_amd = __builtin_cpu_is("amd") != 0;
  return is_amd;
#else
  return false;
#endif
}

Result<Isa> choose_isa_from_environment() {
  const char* forced = std::getenv("QUIRE_ISA");
  return choose_isa(forced == nullptr ? std::string_view() : std::string_view(forced));
}

}  // namespace quire::kernels
