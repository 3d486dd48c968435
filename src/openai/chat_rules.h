#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "openai/api_request.h"

namespace quire::openai {

// What OpenAI's API asks of messages and tools beyond their being readable: how many there may be,
// roles that are its own, content where a role needs some, tools that are functions with a name. A
// prompt file may hold what else a template understands; a request over HTTP may not.
Status check_chat(const nlohmann::json& body, const ApiLimits& limits);

// "NAME has COUNT entries, but may have MOST", unless it is no more.
Status check_count(std::string_view name, std::size_t count, std::size_t most);

}  // namespace quire::openai
