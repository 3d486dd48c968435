#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "quire/generate_request.h"
#include "quire/structured_output.h"
#include "tool_calls/format.h"
#include "tool_calls/functions.h"

namespace quire::tool_calls {

// What an answer must follow that goes on from call_start(): the rest of one call, its arguments as
// the function's schema has them. `id_of` finds tokens by their texts. Nothing for a format whose
// values are no JSON.
StructuredOutput call_constraint(
    Format format,
    const FunctionList& functions,
    const ToolChoice& choice,
    const std::function<std::optional<TokenId>(std::string_view)>& id_of);

}  // namespace quire::tool_calls
