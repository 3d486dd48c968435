#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quire/engine_snapshot.h"
#include "scheduler/step_plan.h"

namespace quire {

// The last steps of an engine, in a ring whose parts are used again. Off, and free, until somebody
// wants to read it. Not thread-safe; owned by the engine thread.
class StepLog {
 public:
  static constexpr std::size_t kSteps = 256;

  bool is_on() const { return !ring_.empty(); }
  // Throws std::bad_alloc and stays off when there is no memory for the ring.
  void turn_on() {
    if (!is_on()) ring_.resize(kSteps);
  }

  // Records a step, when on. A step that there is no memory for is left out.
  void add(const StepPlan& plan,
           double start_ms,
           double end_ms,
           std::int64_t num_hit_tokens) noexcept;

  // Those with a number above `after`, in order.
  std::vector<StepSnapshot> since(std::int64_t after) const;

 private:
  std::vector<StepSnapshot> ring_;  // step n at n % kSteps; number 0: none yet
  std::int64_t last_ = 0;
};

}  // namespace quire
