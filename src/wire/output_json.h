#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "quire/output.h"

namespace quire::wire {

// The line that `generate --json` prints for the prompt at `index` (docs/guide.md). `id_json`, JSON
// unless empty, is the prompt's own id, given back as it came.
std::string output_json(std::size_t index, const std::string& id_json, const RequestOutput& output);

// The list that stands under "logprobs" there.
std::string logprobs_json(const std::vector<TokenLogprobs>& logprobs);

}  // namespace quire::wire
