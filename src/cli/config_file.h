#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "quire/result.h"

namespace quire::cli {

struct ConfigEntry {
  std::string name;
  std::string value;
};

// Reads a file of `name = value` lines: blank lines and those that begin with # are skipped, a
// value may stand in double quotes. Fails with the line's number where a line is something else, or
// names an option again.
Result<std::vector<ConfigEntry>> read_config_file(const std::filesystem::path& path);

}  // namespace quire::cli
