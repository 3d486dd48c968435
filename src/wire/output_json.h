#pragma once

#include <cstddef>
#include <string>

#include "quire/output.h"

namespace quire::wire {

// The line that `generate --json` prints for the prompt at `index`.
std::string output_json(std::size_t index, const RequestOutput& output);

}  // namespace quire::wire
