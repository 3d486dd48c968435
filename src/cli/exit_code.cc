#include "cli/exit_code.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace quire::cli {

int report(const Status& status) {
  std::string line = status.message();
  std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  std::fprintf(stderr, "quire: %s\n", line.c_str());
  switch (status.code()) {
    case StatusCode::kOk: return kExitOk;
    case StatusCode::kInvalidArgument: return kExitUsage;
    case StatusCode::kBadModel:
    case StatusCode::kNotFound: return kExitBadModel;
    default: return kExitFailure;
  }
}

}  // namespace quire::cli
