#include "base/cgroup.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace quire {
namespace {

using Path = std::filesystem::path;

// Where a hierarchy is mounted, and which of its groups lies there.
struct Mount {
  std::string group;
  Path point;
  bool unified = false;
};

bool lists(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == item) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// proc(5): "id parent major:minor root point options [tags] - type source super-options".
std::vector<Mount> find_mounts(std::string_view controller, const Path& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream head(line.substr(0, dash));
    std::istringstream tail(line.substr(dash + 3));
    std::string skipped;
    std::string group;
    std::string point;
    std::string type;
    std::string options;
    head >> skipped >> skipped >> skipped >> group >> point;
    tail >> type >> skipped >> options;
    const bool unified = type == "cgroup2";
    if (!unified && !(type == "cgroup" && lists(options, controller))) continue;
    mounts.push_back({group, root / Path(point).relative_path(), unified});
  }
  return mounts;
}

// cgroups(7): "number:controllers:group", with number 0 and no controllers for version 2.
std::string group_of(std::string_view controller, bool unified, const Path& root) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (unified ? line.starts_with("0::") : lists(controllers, controller)) {
      return line.substr(second + 1);
    }
  }
  return "/";
}

// The group's folder below its mount; the mount itself where the group is not seen from here, as
// in a container that has the host's names for its groups.
Path folder_of(const Mount& mount, const std::string& group) {
  const Path below = Path(group).lexically_relative(mount.group);
  if (below.empty() || *below.begin() == "..") return mount.point;
  std::error_code error;
  Path folder = (mount.point / below).lexically_normal();
  while (folder != mount.point && !std::filesystem::is_directory(folder, error)) {
    folder = folder.parent_path();
    if (!folder.has_relative_path()) return mount.point;
  }
  return folder;
}

}  // namespace

std::vector<CgroupFolder> cgroup_folders(std::string_view controller, const Path& root) {
  std::vector<CgroupFolder> folders;
  for (Mount& mount : find_mounts(controller, root)) {
    mount.point = mount.point.lexically_normal();
    Path folder = folder_of(mount, group_of(controller, mount.unified, root));
    if (!folder.has_filename()) folder = folder.parent_path();
    while (true) {
      folders.push_back({folder, mount.unified});
      if (folder == mount.point || !folder.has_relative_path()) break;
      folder = folder.parent_path();
    }
  }
  return folders;
}

}  // namespace quire
