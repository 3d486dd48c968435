#pragma once

#include <optional>
#include <string>

#include "grammar/dfa.h"
#include "grammar/json_text.h"
#include "grammar/limits.h"
#include "quire/result.h"

namespace quire::grammar {

// A number exactly: its sign and its digits before and behind the point, none of them superfluous.
struct Decimal {
  bool negative = false;
  std::string whole = "0";
  std::string fraction;

  bool is_zero() const { return whole == "0" && fraction.empty(); }
};

// Empty for a number that has more than 40 digits.
std::optional<Decimal> decimal_of(const Json& number);
int compare(const Decimal& a, const Decimal& b);  // below 0, 0, above 0

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};

// What a schema asks of a number.
struct NumberRange {
  std::optional<NumberBound> low;
  std::optional<NumberBound> high;
  std::optional<Decimal> multiple_of;  // above 0
  bool integer = false;

  bool is_free() const { return !low && !high && !multiple_of; }
};

// The numbers of the range as JSON texts without exponents. Fails over the limits.
Result<Dfa> number_dfa(const NumberRange& range, const Limits& limits);

}  // namespace quire::grammar
