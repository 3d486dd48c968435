#pragma once

#include <functional>
#include <string>
#include <vector>

#include "quire/chat.h"
#include "quire/result.h"

namespace quire::tool_calls {

// Renders a conversation with a JSON array of tools, without the beginning of an answer.
using Render = std::function<Result<std::string>(const std::vector<ChatMessage>& messages,
                                                 const std::string& tools_json)>;

// What a template does with tools: told by what it writes for a call, and where it writes none, by
// the markers that it teaches the model.
ToolSupport detect_tool_support(const Render& render);

}  // namespace quire::tool_calls
