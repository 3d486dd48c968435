#pragma once

#include "base/json.h"
#include "quire/llm.h"

namespace quire::wire {

// Reads `tool_choice`, once the request has its tools: "auto", "none", "required", a function, or
// the functions of the list that are allowed, which are then all that the model gets to see.
Status read_tool_choice(const JsonObject& object, GenerateRequest* request);

// Reads `reasoning_effort` into the variables by which templates know it, unless the request sets
// them itself; "none" allows no thoughts at all.
Status read_reasoning_effort(const JsonObject& object, GenerateRequest* request);

}  // namespace quire::wire
