#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "openai/api_request.h"

namespace quire::openai {

// What OpenAI's API asks of tools: functions with names of their own, schemas that are objects, all
// within the limits.
Status check_tools(const nlohmann::json& body, const ApiLimits& limits);

// What it asks of calls and results in a conversation: each call with an id, a function and
// arguments that are JSON; its result among the messages right behind it, once. The message names
// the place, such as messages[3].tool_call_id.
Status check_tool_history(const nlohmann::json& messages, const ApiLimits& limits);

}  // namespace quire::openai
