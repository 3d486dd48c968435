#pragma once

#include <string>
#include <vector>

#include "tool_calls/call_parser.h"

// Answers as models write them, good and broken, with what is to be read of them.
namespace quire::tool_calls {

// The functions that they call: weather, add, now.
const FunctionList& functions();

struct Case {
  std::string what;
  Format format;
  std::string text;
  std::string content;
  std::vector<Call> calls;
};

std::vector<Case> all_cases();

}  // namespace quire::tool_calls
