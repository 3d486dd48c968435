#include "cli/exit_code.h"

#include <cstdio>
#include <string>

#include "cli/flag_names.h"
#include "quire/printable.h"

namespace quire::cli {

int report(const Status& status) {
  // Messages quote file names and graphs: neither a second line nor an escape sequence may come of
  // it.
  std::fprintf(stderr, "quire: %s\n", printable(with_flag_names(status.message())).c_str());
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
