#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace quire {

// The generated table behind unicode_class.h: runs of code points with equal classes, ascending,
// the first one starting at 0. Each entry is (first code point << 11 | CharClass bits).
inline constexpr std::size_t kNumUnicodeRuns = 3660;
extern const std::array<std::uint32_t, kNumUnicodeRuns> kUnicodeRuns;

}  // namespace quire
