#include "sampling/random.h"

#include <array>
#include <cstdint>

namespace quire {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words philox_round(const Words& in, std::uint32_t key0, std::uint32_t key1) {
  const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * in[0];
  const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * in[2];
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  return {
      high(product1) ^ in[1] ^ key0, low(product1), high(product0) ^ in[3] ^ key1, low(product0)};
}

Words philox(Words counter, std::uint64_t seed) {
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32U);
  for (int round = 0; round < 10; ++round) {
    counter = philox_round(counter, key0, key1);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

}  // namespace

double uniform_at(std::uint64_t seed, std::uint32_t sample, std::uint64_t position) {
  const Words words = philox({static_cast<std::uint32_t>(position),
                              static_cast<std::uint32_t>(position >> 32U),
                              sample,
                              0},
                             seed);
  const std::uint64_t bits = (static_cast<std::uint64_t>(words[0]) << 21U) ^ (words[1] >> 11U);
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace quire
