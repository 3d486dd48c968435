#pragma once

#include <cstddef>
#include <string>

#include "quire/output.h"

namespace quire::wire {

// The line that `generate --json` prints for the prompt at `index` (docs/guide.md). `id_json`, JSON
// unless empty, is the prompt's own id, given back as it came.
std::string output_json(std::size_t index, const std::string& id_json, const RequestOutput& output);

}  // namespace quire::wire
