#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/expression.h"

namespace quire::grammar {

// A set of bytes.
struct ByteSet {
  std::array<std::uint64_t, 4> words = {};

  static ByteSet of(int low, int high) {
    ByteSet set;
    for (int byte = low; byte <= high; ++byte) set.add(static_cast<std::uint8_t>(byte));
    return set;
  }
  void add(std::uint8_t byte) { words[byte / 64U] |= std::uint64_t{1} << (byte % 64U); }
  void add(const ByteSet& other) {
    for (std::size_t i = 0; i < words.size(); ++i) words[i] |= other.words[i];
  }
  bool has(std::uint8_t byte) const { return (words[byte / 64U] >> (byte % 64U) & 1U) != 0; }
  bool operator==(const ByteSet&) const = default;
  auto operator<=>(const ByteSet&) const = default;
};

// A character as bytes: one of each set, in order. Two sequences of one spelled set have first sets
// that are equal or apart, and so on below, so that a tree of them is deterministic.
using ByteSequence = std::vector<ByteSet>;

// Every way to write a character of the set.
std::vector<ByteSequence> spell(const CodePointSet& set, Spelling spelling);

// One code point as JSON text within a string: as itself, and by the escape a JSON writer would
// use.
bool needs_escape(char32_t code_point);  // it cannot stand for itself

}  // namespace quire::grammar
