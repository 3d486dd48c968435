#pragma once

#include <string>
#include <vector>

#include "cache/block_manager.h"
#include "scheduler/scheduler.h"
#include "scheduler/step_plan.h"

namespace quire {

// Everything that must hold between two steps, each breach as a sentence; empty when all is well:
// references to a block = tables that hold it, free and used blocks add up, a sequence waits or
// runs but not both, holds blocks only while it runs and enough of them for its computed tokens.
std::vector<std::string> find_violations(const Scheduler& scheduler, const BlockManager& blocks);

// What must hold of a plan: within the budget, each sequence once, continuing where it stands.
std::vector<std::string> find_violations(const StepPlan& plan,
                                         const Scheduler& scheduler,
                                         int max_batch_tokens);

}  // namespace quire
