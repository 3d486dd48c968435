#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>

namespace quire {

// Sizes made of numbers that a file or an option gives. Such a number may be anything, and a
// product that wraps around is a small region somebody writes far past: every size of this kind is
// computed here. Empty where the result does not fit 64 bits.

constexpr std::optional<std::uint64_t> checked_product(
    std::initializer_list<std::uint64_t> factors) {
  std::uint64_t product = 1;
  for (const std::uint64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product)) return std::nullopt;
  }
  return product;
}

constexpr std::optional<std::uint64_t> checked_sum(std::initializer_list<std::uint64_t> terms) {
  std::uint64_t sum = 0;
  for (const std::uint64_t term : terms) {
    if (__builtin_add_overflow(sum, term, &sum)) return std::nullopt;
  }
  return sum;
}

}  // namespace quire
