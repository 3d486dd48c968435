#pragma once

namespace quire {

// What one more row costs a step, learnt from the steps that were: milliseconds = fixed + row *
// rows, by least squares over the latest ones. Knows no clock. Not thread-safe.
class StepCost {
 public:
  // A step of `num_rows` rows, all of decoding sequences, took `ms`.
  void record(int num_rows, double ms);

  // How likely a guess must be right to be worth its row beside `num_sequences` decoding ones. A
  // right one saves its sequence a turn, which is a share of the step, fixed / num_sequences + row;
  // each costs a row. Near 1/3 where the weights are read for one sequence alone, near 1 in a crowd
  // that keeps the processor busy.
  double break_even(int num_sequences) const;

 private:
  // Sums over the steps, older ones counting less.
  double weight_ = 0;
  double rows_ = 0;
  double ms_ = 0;
  double rows_rows_ = 0;
  double rows_ms_ = 0;
};

}  // namespace quire
