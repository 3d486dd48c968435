#pragma once

#include <string_view>

#include "chat/runtime.h"
#include "chat/value.h"
#include "quire/result.h"

namespace quire::chat {

// The methods of Python's str that templates may call.
bool is_text_method(std::string_view name);
Result<Value> call_text_method(const Text& self,
                               std::string_view name,
                               const CallArguments& arguments,
                               Runtime* runtime);

}  // namespace quire::chat
