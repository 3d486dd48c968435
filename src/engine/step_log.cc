#include "engine/step_log.h"

#include <algorithm>
#include <new>

namespace quire {

void StepLog::add(const StepPlan& plan,
                  double start_ms,
                  double end_ms,
                  std::int64_t num_hit_tokens) noexcept {
  if (!is_on()) return;
  StepSnapshot& step = ring_[static_cast<std::size_t>(last_ + 1) % kSteps];
  try {
    step.shares.clear();
    for (const ScheduledSequence& scheduled : plan.sequences) {
      step.shares.push_back(
          {scheduled.id, scheduled.num_past, scheduled.num_new, scheduled.num_draft});
    }
    step.preempted.assign(plan.preempted.begin(), plan.preempted.end());
  } catch (const std::bad_alloc&) {
    step.number = 0;
    return;
  }
  step.number = ++last_;
  step.start_ms = start_ms;
  step.duration_ms = end_ms - start_ms;
  step.num_hit_tokens = num_hit_tokens;
}

std::vector<StepSnapshot> StepLog::since(std::int64_t after) const {
  std::vector<StepSnapshot> steps;
  if (!is_on()) return steps;
  const auto kept = static_cast<std::int64_t>(kSteps);
  for (std::int64_t number = std::max(after, last_ - kept) + 1; number <= last_; ++number) {
    const StepSnapshot& step = ring_[static_cast<std::size_t>(number) % kSteps];
    if (step.number == number) steps.push_back(step);
  }
  return steps;
}

}  // namespace quire
