#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quire {

// The bytes that base64 of the usual alphabet stands for, with its padding; empty for anything else
// in the text, white space too.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace quire
