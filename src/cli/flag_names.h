#pragma once

#include <string>
#include <string_view>

namespace quire::cli {

// A message of the library as the command line spells it. The library names an option by its field,
// "option kv_dtype" or "option tools=none", for callers in C, Python and over HTTP too; here these
// become "--kv-dtype" and "--tools none". Whatever else the message says stays as it is.
std::string with_flag_names(std::string_view message);

}  // namespace quire::cli
