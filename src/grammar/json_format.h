#pragma once

#include <string>
#include <string_view>

namespace quire::grammar {

// The regular expression of a JSON Schema format for strings, all of the text; empty for one that
// is not known here.
std::string format_pattern(std::string_view format);

// The names that are, for messages.
std::string known_formats();

}  // namespace quire::grammar
