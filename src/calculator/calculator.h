#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quire {

// The calculator that nanochat's models are trained to call, with the results of Python 3.11 for
// what it accepts:
//  - arithmetic: digits, + - * / // . ( ) and spaces, any commas taken out first;
//  - where `texts` is set, expressions over quoted texts that call .count( somewhere.
// All else has no answer: what Python refuses, what it would answer with an address, and what goes
// beyond the limits: 16 KiB of expression or text, 4300 digits of a whole number, 200 brackets, and
// a bound on the work (some tens of milliseconds). Values without side effects; any thread.
struct CalculatorOptions {
  bool texts = true;  // false: as nanochat was before 2025-10-24
};

// The result as Python's str() writes it, or nothing.
std::optional<std::string> calculate(std::string_view expression,
                                     const CalculatorOptions& options = {});

}  // namespace quire
