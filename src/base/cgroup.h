#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace quire {

// A control group that limits this process.
struct CgroupFolder {
  std::filesystem::path path;
  bool unified = false;  // cgroup v2; the files of v1 have other names
};

// The groups with a controller ("cpu" or "memory") that this process is in, its own first, then the
// ones around it as far as they can be seen: each of them limits. Of version 2, 1, or both where a
// system has both. `root` is where the file system begins. Empty where there is no such thing.
std::vector<CgroupFolder> cgroup_folders(std::string_view controller,
                                         const std::filesystem::path& root = "/");

}  // namespace quire
