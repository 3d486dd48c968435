#pragma once

#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "quire/llm.h"

namespace quire::wire {

// Reads one sampling field, named as in SamplingParams, into the request; false when there is none
// of that name. `raw` is the text of its value. Where an integer is meant 6.0 is one too, and a
// count past an int's range is the nearest end of it.
Result<bool> read_sampling_field(const JsonObject& object,
                                 std::string_view name,
                                 std::string_view raw,
                                 GenerateRequest* request);

// An integer of a request, by the rules above.
Result<int> read_count(const JsonObject& object, std::string_view name);

// `stop`: a string or a list of strings.
Result<std::vector<std::string>> read_stop(const JsonObject& object);

// `logit_bias`: an object from token ids to numbers.
Result<std::vector<std::pair<TokenId, double>>> read_logit_bias(const JsonObject& object);

// A list of token ids; 6.0 is one.
Result<std::vector<TokenId>> read_ids(const nlohmann::json& list, std::string_view name);

}  // namespace quire::wire
