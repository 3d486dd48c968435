#pragma once

#include <string>
#include <string_view>

namespace quire::openai {

// What to say of an endpoint that others have and Quire has not: what it would do, and what to use
// in its place. Empty for a path that nobody is known to have.
std::string about_other_endpoint(std::string_view path);

}  // namespace quire::openai
