#pragma once

#include "base/json.h"
#include "quire/llm.h"

namespace quire::wire {

// Reads the sampling fields of a .jsonl prompt, named as in SamplingParams, into the request. A
// field that is not known is an error: it would be ignored.
Status read_sampling_fields(const JsonObject& object, GenerateRequest* request);

}  // namespace quire::wire
