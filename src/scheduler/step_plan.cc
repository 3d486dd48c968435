#include "scheduler/step_plan.h"

#include <string>

namespace quire {

std::string to_string(const StepPlan& plan) {
  std::string text = std::to_string(plan.num_tokens) + " tokens:";
  for (const ScheduledSequence& s : plan.sequences) {
    text += " seq " + std::to_string(s.id) + " [" + std::to_string(s.num_past) + ".." +
            std::to_string(s.num_past + s.num_new - s.num_draft - 1) + "]";
    if (s.num_logits > 0) text += "*";
    if (s.num_draft > 0) text += "+" + std::to_string(s.num_draft) + " guessed";
  }
  if (!plan.preempted.empty()) text += " preempted:";
  for (const SequenceId id : plan.preempted) text += " " + std::to_string(id);
  return text;
}

}  // namespace quire
