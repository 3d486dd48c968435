#pragma once

#include "quire/status.h"

namespace quire::cli {

// What the process returns; part of the command line's contract.
enum ExitCode : int { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitBadModel = 3 };

// Prints "quire: <message>" on stderr, as one line, and returns the exit code for the failure.
int report(const Status& status);

}  // namespace quire::cli
