#include "base/cpus.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/cgroup.h"

namespace quire {
namespace {

int count_affinity() {
  // Large enough for every kernel there is; the set of cpu_set_t ends at 1024.
  constexpr std::size_t kMaxCpus = 65536;
  std::vector<cpu_set_t> set(kMaxCpus / CPU_SETSIZE);
  const std::size_t bytes = set.size() * sizeof(cpu_set_t);
  if (sched_getaffinity(0, bytes, set.data()) != 0) {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  return std::max(1, CPU_COUNT_S(bytes, set.data()));
}

// Cores' worth of time that a group gives; 0 for no limit. "max 100000" and -1 are none.
double quota_of(const CgroupFolder& group) {
  double quota = 0;
  double period = 0;
  if (group.unified) {
    std::ifstream file(group.path / "cpu.max");
    if (!(file >> quota >> period)) return 0;
  } else {
    std::ifstream quota_file(group.path / "cpu.cfs_quota_us");
    std::ifstream period_file(group.path / "cpu.cfs_period_us");
    if (!(quota_file >> quota) || !(period_file >> period)) return 0;
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

}  // namespace

CpuLimits read_cpu_limits(const std::filesystem::path& root) {
  CpuLimits limits;
  limits.online = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  limits.affinity = count_affinity();
  for (const CgroupFolder& group : cgroup_folders("cpu", root)) {
    const double quota = quota_of(group);
    if (quota > 0) limits.quota = limits.quota > 0 ? std::min(limits.quota, quota) : quota;
  }
  return limits;
}

int usable_cpus(const CpuLimits& limits) {
  if (limits.quota <= 0 || limits.quota >= limits.affinity) return limits.affinity;
  return std::max(1, static_cast<int>(limits.quota + 0.01));  // a quota of 1.999 is meant as 2
}

int choose_num_threads(int requested) {
  return requested > 0 ? requested : usable_cpus(read_cpu_limits());
}

std::string describe_cpus(const CpuLimits& limits) {
  char text[160];
  const int threads = usable_cpus(limits);
  std::snprintf(text,
                sizeof text,
                "%d thread%s: %d core%s",
                threads,
                threads == 1 ? "" : "s",
                limits.online,
                limits.online == 1 ? "" : "s");
  std::string line = text;
  if (limits.affinity < limits.online) {
    line += ", " + std::to_string(limits.affinity) + " of them by affinity";
  }
  if (limits.quota > 0) {
    std::snprintf(text, sizeof text, ", a CPU quota of %.4g", limits.quota);
    line += text;
  } else {
    line += ", no CPU quota";
  }
  return line;
}

}  // namespace quire
