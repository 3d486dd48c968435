#include "cli/exit_code.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace quire::cli {

int report(const Status& status) {
  std::string line = status.message();
  // Messages quote file names and graphs: neither a second line nor an escape sequence may come of
  // it.
  std::ranges::replace_if(line, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  std::fprintf(stderr, "quire: %s\n", line.c_str());
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kInvalidArgument:
      return kExitUsage;
    case StatusCode::kBadModel:
    case StatusCode::kNotFound:
      return kExitBadModel;
    default:
      return kExitFailure;
  }
}

}  // namespace quire::cli
