#include "base/hash.h"

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "base/check.h"

namespace quire {
namespace {

XXH3_state_t* as_xxh3(void* state) { return static_cast<XXH3_state_t*>(state); }

}  // namespace

Hash128 hash128(std::span<const std::byte> bytes, std::uint64_t seed) {
  const XXH128_hash_t value = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  return {value.low64, value.high64};
}

Hasher128::Hasher128() : state_(XXH3_createState()) {
  QUIRE_CHECK(state_ != nullptr, "no memory for a hash state");
  XXH3_128bits_reset(as_xxh3(state_));
}

Hasher128::~Hasher128() { XXH3_freeState(as_xxh3(state_)); }

void Hasher128::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(as_xxh3(state_), bytes.data(), bytes.size());
}

std::string Hasher128::hex_digest() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(as_xxh3(state_)));
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex.push_back(kDigits[byte >> 4U]);
    hex.push_back(kDigits[byte & 0xFU]);
  }
  return hex;
}

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

}  // namespace quire
