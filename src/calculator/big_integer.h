#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

// A whole number of any size, with Python's rules for division and conversion. A plain value; the
// cost of an operation grows with the product of the operands' sizes, so callers bound those.
class BigInteger {
 public:
  BigInteger() = default;
  explicit BigInteger(std::int64_t value);

  // From digits of a base from 2 to 16, without sign or separators. The caller has checked them.
  static BigInteger from_digits(std::string_view digits, unsigned base);

  bool is_zero() const { return limbs_.empty(); }
  bool is_negative() const { return negative_; }
  std::size_t num_limbs() const { return limbs_.size(); }
  // Bits of the absolute value; 0 for zero.
  std::int64_t bit_length() const;
  std::string to_string() const;
  // The value when it fits.
  std::optional<std::int64_t> to_int64() const;
  // The nearest double, ties to even; nothing when it is too large for one.
  std::optional<double> to_double() const;

  BigInteger negated() const;
  friend BigInteger operator+(const BigInteger& a, const BigInteger& b);
  friend BigInteger operator-(const BigInteger& a, const BigInteger& b);
  friend BigInteger operator*(const BigInteger& a, const BigInteger& b);
  bool operator==(const BigInteger&) const = default;

  // The quotient rounded down; `divisor` is not zero.
  BigInteger floor_divide(const BigInteger& divisor) const;
  // The quotient as the nearest double; nothing when it is too large for one. `divisor` is not
  // zero.
  std::optional<double> true_divide(const BigInteger& divisor) const;

 private:
  using Limbs = std::vector<std::uint32_t>;  // least significant first, no leading zeros

  static BigInteger make(bool negative, Limbs limbs);
  // Quotient and remainder of absolute values.
  static std::pair<Limbs, Limbs> divide(const Limbs& dividend, const Limbs& divisor);
  static Limbs shifted_left(const Limbs& limbs, std::int64_t bits);

  bool negative_ = false;  // never of zero
  Limbs limbs_;
};

}  // namespace quire
