#include "base/system_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/cgroup.h"

namespace quire {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

std::optional<std::uint64_t> read_number(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

// What a group's limit leaves; kUnlimited where there is none ("max" in cgroup v2).
std::uint64_t headroom(const CgroupFolder& group) {
  const auto limit =
      read_number(group.path / (group.unified ? "memory.max" : "memory.limit_in_bytes"));
  if (!limit) return kUnlimited;
  const std::uint64_t used =
      read_number(group.path / (group.unified ? "memory.current" : "memory.usage_in_bytes"))
          .value_or(0);
  return *limit > used ? *limit - used : 0;
}

std::uint64_t system_available() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  std::string unit;
  while (file >> key >> kib) {
    std::getline(file, unit);
    if (key == "MemAvailable:") return kib * 1024;
  }
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 2;
}

}  // namespace

std::uint64_t container_memory_bytes(const std::filesystem::path& root) {
  std::uint64_t least = kUnlimited;
  for (const CgroupFolder& group : cgroup_folders("memory", root)) {
    least = std::min(least, headroom(group));
  }
  return least;
}

std::uint64_t available_memory_bytes() {
  return std::min(system_available(), container_memory_bytes());
}

std::uint64_t resident_memory_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

Result<MemoryRegion> MemoryRegion::map(std::size_t num_bytes) {
  void* data = mmap(nullptr,
                    num_bytes,
                    PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1,
                    0);
  if (data == MAP_FAILED) {
    return resource_exhausted("no memory for a region of " + std::to_string(num_bytes >> 20U) +
                              " MiB");
  }
  return MemoryRegion(
      std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(data), {num_bytes}));
}

void MemoryRegion::Unmap::operator()(std::byte* data) const { munmap(data, num_bytes); }

}  // namespace quire
