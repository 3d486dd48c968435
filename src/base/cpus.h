#pragma once

#include <filesystem>
#include <string>

namespace quire {

// How much of a machine's processors this process may use.
struct CpuLimits {
  int online = 1;    // cores of the machine
  int affinity = 1;  // of them, those it may run on: taskset, cpusets, docker --cpuset-cpus
  double quota =
      0;  // cores' worth of time that its control groups leave it, as docker --cpus; 0: all
};

// What is in force now. `root` is where the file system begins.
CpuLimits read_cpu_limits(const std::filesystem::path& root = "/");

// Threads that can really run at once under limits: one more would only be stopped when the quota
// is used up, and the others wait for it. At least 1.
int usable_cpus(const CpuLimits& limits);

// The threads of a model step: as asked for, or what this machine gives us for 0.
int choose_num_threads(int requested);

// "2 threads: 8 cores, 4 of them by affinity, a quota of 2.5".
std::string describe_cpus(const CpuLimits& limits);

}  // namespace quire
