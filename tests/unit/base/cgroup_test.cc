#include "base/cgroup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "base/cpus.h"
#include "base/system_memory.h"

namespace quire {
namespace {

// A file system of the test's own with what the kernel would show in /proc and /sys.
class CgroupTest : public testing::Test {
 protected:
  CgroupTest() : root_(testing::TempDir() + "/quire_cgroup_test") {
    std::filesystem::remove_all(root_);
  }
  ~CgroupTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text << "\n";
  }
  void version_2(const std::string& group, const std::string& mounted = "/") const {
    write("proc/self/cgroup", "0::" + group);
    write("proc/self/mountinfo",
          "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
          "31 22 0:27 " +
              mounted + " /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw");
  }
  void version_1(const std::string& group, const std::string& mounted = "/") const {
    write("proc/self/cgroup", "5:memory:" + group + "\n4:cpu,cpuacct:" + group + "\n0::/");
    write("proc/self/mountinfo",
          "31 22 0:27 " + mounted +
              " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n32 22 0:28 " +
              mounted + " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory");
  }
  double quota() const { return read_cpu_limits(root_).quota; }

  std::filesystem::path root_;
};

TEST_F(CgroupTest, AContainersOwnQuotaCounts) {
  version_2("/");
  write("sys/fs/cgroup/cpu.max", "150000 100000");
  EXPECT_DOUBLE_EQ(quota(), 1.5);
  write("sys/fs/cgroup/cpu.max", "max 100000");
  EXPECT_DOUBLE_EQ(quota(), 0);
}

TEST_F(CgroupTest, OfNestedGroupsTheLeastCounts) {
  version_2("/system.slice/quire.service/inner");
  write("sys/fs/cgroup/system.slice/quire.service/inner/cpu.max", "400000 100000");
  write("sys/fs/cgroup/system.slice/quire.service/cpu.max", "max 100000");
  write("sys/fs/cgroup/system.slice/cpu.max", "50000 25000");
  EXPECT_DOUBLE_EQ(quota(), 2) << "the group around it leaves less than its own";
  write("sys/fs/cgroup/system.slice/quire.service/cpu.max", "10000 20000");
  EXPECT_DOUBLE_EQ(quota(), 0.5);
  write("sys/fs/cgroup/other.slice/cpu.max", "1000 100000");
  EXPECT_DOUBLE_EQ(quota(), 0.5) << "groups that it is not in count for nothing";
}

TEST_F(CgroupTest, AGroupIsFoundBelowWhatIsMountedOfIt) {
  version_2("/docker/abc/job", "/docker/abc");
  write("sys/fs/cgroup/job/cpu.max", "100000 100000");
  EXPECT_DOUBLE_EQ(quota(), 1);
}

TEST_F(CgroupTest, NamesOfTheHostsLeadToTheMount) {
  for (const char* group : {"/kubepods/pod1/abc", "/../../outside"}) {
    version_2(group);
    write("sys/fs/cgroup/cpu.max", "300000 100000");
    EXPECT_DOUBLE_EQ(quota(), 3) << group;
  }
}

TEST_F(CgroupTest, Version1HasItsOwnFiles) {
  version_1("/docker/abc");
  const std::string folder = "sys/fs/cgroup/cpu,cpuacct/docker/abc/";
  write(folder + "cpu.cfs_quota_us", "-1");
  write(folder + "cpu.cfs_period_us", "100000");
  EXPECT_DOUBLE_EQ(quota(), 0);
  write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "50000");
  write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000");
  EXPECT_DOUBLE_EQ(quota(), 0.5);
}

TEST_F(CgroupTest, MemoryIsLimitedByGroupsAroundItToo) {
  version_1("/a/b");
  write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712");
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1000");
  write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "300");
  EXPECT_EQ(container_memory_bytes(root_), 700U);
  version_2("/a");
  write("sys/fs/cgroup/a/memory.max", "max");
  write("sys/fs/cgroup/memory.max", "5000");
  write("sys/fs/cgroup/memory.current", "6000");
  EXPECT_EQ(container_memory_bytes(root_), 0U);
}

TEST_F(CgroupTest, WithoutProcAndWithDamagedFilesNothingLimits) {
  EXPECT_TRUE(cgroup_folders("cpu", root_).empty());
  EXPECT_EQ(container_memory_bytes(root_), std::numeric_limits<std::uint64_t>::max());
  write("proc/self/mountinfo", "garbage\n - \n1 2 3\n - cgroup2");
  write("proc/self/cgroup", "garbage\n::\n0:");
  EXPECT_DOUBLE_EQ(quota(), 0);
  version_2("/");
  for (const char* text : {"", "x y", "0 100000", "100000 0", "-5 10", "100000"}) {
    write("sys/fs/cgroup/cpu.max", text);
    EXPECT_DOUBLE_EQ(quota(), 0) << text;
  }
}

TEST(CpuLimitsTest, ThreadsAreWhatCanRunAtOnceAndAtLeastOne) {
  EXPECT_EQ(usable_cpus({.online = 8, .affinity = 4}), 4);
  EXPECT_EQ(usable_cpus({.online = 8, .affinity = 8, .quota = 2.5}), 2);
  EXPECT_EQ(usable_cpus({.online = 8, .affinity = 2, .quota = 3}), 2);
  EXPECT_EQ(usable_cpus({.online = 8, .affinity = 8, .quota = 0.2}), 1);
  EXPECT_EQ(usable_cpus({.online = 8, .affinity = 8, .quota = 1.995}), 2);
  EXPECT_EQ(choose_num_threads(7), 7) << "what was asked for comes first";
  EXPECT_EQ(describe_cpus({.online = 8, .affinity = 4, .quota = 2.5}),
            "2 threads: 8 cores, 4 of them by affinity, a CPU quota of 2.5");
  EXPECT_EQ(describe_cpus({.online = 1, .affinity = 1}), "1 thread: 1 core, no CPU quota");
}

}  // namespace
}  // namespace quire
