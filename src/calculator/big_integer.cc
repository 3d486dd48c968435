#include "calculator/big_integer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {
namespace {

using Limbs = std::vector<std::uint32_t>;

constexpr unsigned kLimbBits = 32;
constexpr std::uint32_t kDecimalChunk = 1000000000;
constexpr std::size_t kDecimalChunkDigits = 9;
constexpr int kMantissaBits = std::numeric_limits<double>::digits;
constexpr int kMinExponent =
    std::numeric_limits<double>::min_exponent - 1;  // of the smallest normal
constexpr int kMaxExponent = std::numeric_limits<double>::max_exponent;

std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

void trim(Limbs* limbs) {
  while (!limbs->empty() && limbs->back() == 0) limbs->pop_back();
}

std::int64_t bits_of(const Limbs& limbs) {
  if (limbs.empty()) return 0;
  return static_cast<std::int64_t>(limbs.size()) * kLimbBits - std::countl_zero(limbs.back());
}

// -1, 0 or 1.
int compare(const Limbs& a, const Limbs& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (std::size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

Limbs add(const Limbs& a, const Limbs& b) {
  Limbs sum;
  sum.reserve(std::max(a.size(), b.size()) + 1);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    carry += (i < a.size() ? a[i] : 0U);
    carry += (i < b.size() ? b[i] : 0U);
    sum.push_back(low(carry));
    carry >>= kLimbBits;
  }
  if (carry != 0) sum.push_back(low(carry));
  return sum;
}

// a - b, where a is not the smaller one.
Limbs subtract(const Limbs& a, const Limbs& b) {
  Limbs difference = a;
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::uint64_t taken = borrow + (i < b.size() ? b[i] : 0U);
    borrow = a[i] < taken ? 1 : 0;
    difference[i] = low(a[i] - taken);
  }
  trim(&difference);
  return difference;
}

// Multiplies in place by `factor` and adds `summand`.
void multiply_add(std::uint32_t factor, std::uint32_t summand, Limbs* limbs) {
  std::uint64_t carry = summand;
  for (std::uint32_t& limb : *limbs) {
    carry += static_cast<std::uint64_t>(limb) * factor;
    limb = low(carry);
    carry >>= kLimbBits;
  }
  if (carry != 0) limbs->push_back(low(carry));
}

// Divides in place; returns the remainder.
std::uint32_t divide_small(std::uint32_t divisor, Limbs* limbs) {
  std::uint64_t rest = 0;
  for (std::size_t i = limbs->size(); i-- > 0;) {
    rest = (rest << kLimbBits) | (*limbs)[i];
    (*limbs)[i] = low(rest / divisor);
    rest %= divisor;
  }
  trim(limbs);
  return low(rest);
}

// Takes digit * divisor away from the top of `rest` that begins at limb `at`. True when that was
// one divisor too much, which has then been put back.
bool subtract_multiple(std::uint64_t digit, const Limbs& divisor, std::size_t at, Limbs* rest) {
  std::uint64_t carry = 0;
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i <= divisor.size(); ++i) {
    carry += i < divisor.size() ? digit * divisor[i] : 0U;
    const std::uint64_t taken = (carry & 0xFFFFFFFFU) + borrow;
    carry >>= kLimbBits;
    std::uint32_t& limb = (*rest)[at + i];
    borrow = limb < taken ? 1 : 0;
    limb = low(limb - taken);
  }
  if (borrow == 0) return false;
  carry = 0;
  for (std::size_t i = 0; i <= divisor.size(); ++i) {
    carry += (*rest)[at + i];
    carry += i < divisor.size() ? divisor[i] : 0U;
    (*rest)[at + i] = low(carry);
    carry >>= kLimbBits;
  }
  return true;
}

// Adds one to q when what was cut off below its last `extra` bits (and below q itself, if `sticky`)
// rounds up, ties to even. Returns q without those bits.
std::uint64_t round_off(std::uint64_t q, int extra, bool sticky) {
  const std::uint64_t half = std::uint64_t{1} << static_cast<unsigned>(extra - 1);
  const std::uint64_t rest = q & (2 * half - 1);
  std::uint64_t rounded = q >> static_cast<unsigned>(extra);
  const bool above = rest > half || (rest == half && sticky);
  if (above || (rest == half && rounded % 2 == 1)) ++rounded;
  return rounded;
}

}  // namespace

BigInteger::BigInteger(std::int64_t value) : negative_(value < 0) {
  auto rest = static_cast<std::uint64_t>(value);
  if (negative_) rest = 0 - rest;
  for (; rest != 0; rest >>= kLimbBits) limbs_.push_back(low(rest));
}

BigInteger BigInteger::make(bool negative, Limbs limbs) {
  BigInteger number;
  trim(&limbs);
  number.negative_ = negative && !limbs.empty();
  number.limbs_ = std::move(limbs);
  return number;
}

BigInteger BigInteger::from_digits(std::string_view digits, unsigned base) {
  Limbs limbs;
  for (const char c : digits) {
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    multiply_add(base, static_cast<std::uint32_t>(digit), &limbs);
  }
  return make(false, std::move(limbs));
}

std::int64_t BigInteger::bit_length() const { return bits_of(limbs_); }

std::string BigInteger::to_string() const {
  if (limbs_.empty()) return "0";
  std::string reversed;
  for (Limbs rest = limbs_; !rest.empty();) {
    std::uint32_t chunk = divide_small(kDecimalChunk, &rest);
    for (std::size_t i = 0; i < kDecimalChunkDigits; ++i) {
      reversed.push_back(static_cast<char>('0' + chunk % 10));
      chunk /= 10;
    }
  }
  reversed.resize(reversed.find_last_not_of('0') + 1);
  if (negative_) reversed.push_back('-');
  return {reversed.rbegin(), reversed.rend()};
}

std::optional<std::int64_t> BigInteger::to_int64() const {
  if (limbs_.size() > 2) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = limbs_.size(); i-- > 0;) value = (value << kLimbBits) | limbs_[i];
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  const auto magnitude = static_cast<std::int64_t>(value);
  return negative_ ? -magnitude : magnitude;
}

std::optional<double> BigInteger::to_double() const { return true_divide(BigInteger(1)); }

BigInteger BigInteger::negated() const { return make(!negative_, limbs_); }

BigInteger operator+(const BigInteger& a, const BigInteger& b) {
  if (a.negative_ == b.negative_) return BigInteger::make(a.negative_, add(a.limbs_, b.limbs_));
  if (compare(a.limbs_, b.limbs_) >= 0) {
    return BigInteger::make(a.negative_, subtract(a.limbs_, b.limbs_));
  }
  return BigInteger::make(b.negative_, subtract(b.limbs_, a.limbs_));
}

BigInteger operator-(const BigInteger& a, const BigInteger& b) { return a + b.negated(); }

BigInteger operator*(const BigInteger& a, const BigInteger& b) {
  Limbs product(a.limbs_.size() + b.limbs_.size(), 0);
  for (std::size_t i = 0; i < a.limbs_.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < b.limbs_.size(); ++j) {
      carry += static_cast<std::uint64_t>(a.limbs_[i]) * b.limbs_[j] + product[i + j];
      product[i + j] = low(carry);
      carry >>= kLimbBits;
    }
    product[i + b.limbs_.size()] = low(carry);
  }
  return BigInteger::make(a.negative_ != b.negative_, std::move(product));
}

BigInteger::Limbs BigInteger::shifted_left(const Limbs& limbs, std::int64_t bits) {
  if (limbs.empty() || bits <= 0) return limbs;
  const auto shift = static_cast<unsigned>(bits % kLimbBits);
  Limbs shifted(static_cast<std::size_t>(bits / kLimbBits), 0);
  std::uint64_t carry = 0;
  for (const std::uint32_t limb : limbs) {
    carry |= static_cast<std::uint64_t>(limb) << shift;
    shifted.push_back(low(carry));
    carry >>= kLimbBits;
  }
  shifted.push_back(low(carry));
  trim(&shifted);
  return shifted;
}

// Long division with 32-bit digits: each digit is estimated from the leading two limbs of what is
// left and the leading limb of the divisor, whose top bit is set, so that it is at most two too
// large (Knuth, The Art of Computer Programming, 4.3.1).
std::pair<BigInteger::Limbs, BigInteger::Limbs> BigInteger::divide(const Limbs& dividend,
                                                                   const Limbs& divisor) {
  if (compare(dividend, divisor) < 0) return {{}, dividend};
  if (divisor.size() == 1) {
    Limbs quotient = dividend;
    const std::uint32_t rest = divide_small(divisor.front(), &quotient);
    return {std::move(quotient), rest == 0 ? Limbs{} : Limbs{rest}};
  }
  const int shift = std::countl_zero(divisor.back());
  const Limbs scaled = shifted_left(divisor, shift);
  Limbs rest = shifted_left(dividend, shift);
  rest.resize(dividend.size() + 1, 0);
  Limbs quotient(dividend.size() - divisor.size() + 1, 0);
  const std::uint64_t lead = scaled.back();
  const std::uint64_t second = scaled[scaled.size() - 2];
  for (std::size_t at = quotient.size(); at-- > 0;) {
    const std::size_t top = at + scaled.size();
    const std::uint64_t leading =
        (static_cast<std::uint64_t>(rest[top]) << kLimbBits) | rest[top - 1];
    std::uint64_t digit = leading / lead;
    std::uint64_t left = leading % lead;
    while (digit > 0xFFFFFFFFU || digit * second > ((left << kLimbBits) | rest[top - 2])) {
      --digit;
      left += lead;
      if (left > 0xFFFFFFFFU) break;
    }
    if (subtract_multiple(digit, scaled, at, &rest)) --digit;
    quotient[at] = low(digit);
  }
  trim(&quotient);
  trim(&rest);
  // The remainder is scaled as well; callers ask of it only whether it is zero.
  return {std::move(quotient), std::move(rest)};
}

BigInteger BigInteger::floor_divide(const BigInteger& divisor) const {
  auto [quotient, rest] = divide(limbs_, divisor.limbs_);
  const bool negative = negative_ != divisor.negative_;
  if (negative && !rest.empty()) quotient = add(quotient, {1});
  return make(negative, std::move(quotient));
}

std::optional<double> BigInteger::true_divide(const BigInteger& divisor) const {
  const bool negative = negative_ != divisor.negative_;
  const double zero = negative ? -0.0 : 0.0;
  if (limbs_.empty()) return zero;
  // The quotient lies between 2^(gap - 1) and 2^(gap + 1).
  const std::int64_t gap = bits_of(limbs_) - bits_of(divisor.limbs_);
  if (gap > kMaxExponent) return std::nullopt;
  if (gap < kMinExponent - kMantissaBits - 1) return zero;
  // A whole quotient with two bits or more below the last one that the result keeps.
  const int scale =
      static_cast<int>(std::max<std::int64_t>(gap - 1, kMinExponent)) - (kMantissaBits - 1) - 2;
  const auto [quotient, rest] =
      divide(shifted_left(limbs_, -scale), shifted_left(divisor.limbs_, scale));
  std::uint64_t q = 0;
  for (std::size_t i = quotient.size(); i-- > 0;) q = (q << kLimbBits) | quotient[i];
  const int num_bits = 64 - std::countl_zero(q);
  const int extra = std::max(num_bits - kMantissaBits, 2);
  const double mantissa = static_cast<double>(round_off(q, extra, !rest.empty()));
  const double value = std::ldexp(mantissa, scale + extra);
  if (std::isinf(value)) return std::nullopt;
  return negative ? -value : value;
}

}  // namespace quire
