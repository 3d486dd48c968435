#pragma once

#include <string>
#include <vector>

#include "scheduler/sequence.h"

namespace quire {

// One sequence's share of a step: tokens num_past to num_past + num_new - 1 of it are computed, and
// the logits of the last num_logits of them are wanted (none in the middle of a prompt). The last
// num_draft of them are guesses behind its end.
struct ScheduledSequence {
  SequenceId id = 0;
  int num_past = 0;
  int num_new = 0;
  int num_logits = 0;
  int num_draft = 0;
  bool is_decode() const { return num_new - num_draft == 1; }
  bool operator==(const ScheduledSequence&) const = default;
};

// What one step computes. Plain data: it can be printed, compared and replayed.
struct StepPlan {
  std::vector<ScheduledSequence> sequences;  // decodes first
  std::vector<SequenceId> preempted;         // lost their blocks to make room
  int num_tokens = 0;                        // sum of num_new

  bool empty() const { return sequences.empty(); }
};

// For logs and test failures: "3+1 tokens: seq 7 [512..514], seq 9 [17..17]* preempted: 12".
std::string to_string(const StepPlan& plan);

}  // namespace quire
