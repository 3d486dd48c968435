#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace quire {

// A 128-bit XXH3 value.
struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};

// XXH3-128 of the bytes, changed by `seed`.
Hash128 hash128(std::span<const std::byte> bytes, std::uint64_t seed);

// XXH3-128 of a stream of pieces, without a seed: what `xxhsum -H2` prints of a file.
class Hasher128 {
 public:
  Hasher128();
  ~Hasher128();
  Hasher128(const Hasher128&) = delete;
  Hasher128& operator=(const Hasher128&) = delete;

  void update(std::span<const std::byte> bytes);
  // The canonical form: 32 lower-case hexadecimal digits, most significant first.
  std::string hex_digest() const;

 private:
  void* state_;
};

// A number nobody outside the process can guess, from the system's random source.
std::uint64_t random_seed();

}  // namespace quire

template <>
struct std::hash<quire::Hash128> {
  std::size_t operator()(const quire::Hash128& value) const noexcept { return value.low; }
};
