#include "speculation/step_cost.h"

#include <algorithm>

namespace quire {
namespace {

constexpr double kDecay = 0.97;            // some 33 steps count
constexpr double kEnoughSpread = 0.25;     // variance of rows that tells a slope from noise
constexpr double kUnknownFixedRows = 2.0;  // fixed / row until that is known
constexpr double kMostFixedRows = 20.0;    // so that one odd step does not make rows free

}  // namespace

void StepCost::record(int num_rows, double ms) {
  const double rows = num_rows;
  weight_ = kDecay * weight_ + 1;
  rows_ = kDecay * rows_ + rows;
  ms_ = kDecay * ms_ + ms;
  rows_rows_ = kDecay * rows_rows_ + rows * rows;
  rows_ms_ = kDecay * rows_ms_ + rows * ms;
}

double StepCost::break_even(int num_sequences) const {
  double fixed_rows = kUnknownFixedRows;
  if (weight_ > 0) {
    const double mean_rows = rows_ / weight_;
    const double mean_ms = ms_ / weight_;
    const double variance = rows_rows_ / weight_ - mean_rows * mean_rows;
    if (variance > kEnoughSpread && mean_ms > 0) {
      const double row = (rows_ms_ / weight_ - mean_rows * mean_ms) / variance;
      const double fixed = mean_ms - row * mean_rows;
      fixed_rows = row > 0 ? std::clamp(fixed / row, 0.0, kMostFixedRows) : kMostFixedRows;
    }
  }
  return 1 / (1 + fixed_rows / std::max(num_sequences, 1));
}

}  // namespace quire
