#pragma once

#include "kernels/executor.h"
#include "kernels/isa.h"
#include "kernels/workspace.h"

namespace quire::kernels {

// What every kernel is called with. Refers to things that must outlive the call; as the workspace
// is shared, one call at a time.
struct KernelContext {
  Isa isa;
  Executor& executor;
  Workspace& workspace;
};

}  // namespace quire::kernels
