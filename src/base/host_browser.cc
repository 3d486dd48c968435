#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "base/cgroup.h"
#include "base/cpus.h"
#include "base/mapped_file.h"
#include "base/system_memory.h"

// What cgroup.cc, cpus.cc, mapped_file.cc and system_memory.cc ask of Linux, in WebAssembly: one
// memory that only grows, and workers that JavaScript has started.
namespace quire {
namespace {

constexpr std::size_t kPage = 65536;
// The most the module's memory may grow to, as web/wasm/CMakeLists.txt links it.
constexpr std::uint64_t kMostMemory = std::uint64_t{QUIRE_BROWSER_MEMORY_MIB} << 20U;

std::uint64_t memory_bytes() { return std::uint64_t{__builtin_wasm_memory_size(0)} * kPage; }

// New memory is zeros, takes nothing until it is written, and cannot be given back.
std::byte* grow(std::size_t num_bytes) {
  const std::size_t before = __builtin_wasm_memory_grow(0, (num_bytes + kPage - 1) / kPage);
  if (before == static_cast<std::size_t>(-1)) return nullptr;
  return reinterpret_cast<std::byte*>(before * kPage);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

std::vector<CgroupFolder> cgroup_folders(std::string_view, const std::filesystem::path&) {
  return {};
}

CpuLimits read_cpu_limits(const std::filesystem::path&) {
  const int threads = static_cast<int>(std::thread::hardware_concurrency());
  return {.online = threads, .affinity = threads, .quota = 0};
}
int usable_cpus(const CpuLimits& limits) { return limits.affinity; }
int choose_num_threads(int requested) {
  const int most = usable_cpus(read_cpu_limits());
  return requested > 0 ? std::min(requested, most) : most;
}
std::string describe_cpus(const CpuLimits& limits) {
  return std::to_string(limits.affinity) + " workers of this page";
}

std::uint64_t available_memory_bytes() {
  return kMostMemory - std::min(kMostMemory, memory_bytes());
}
std::uint64_t container_memory_bytes(const std::filesystem::path&) {
  return available_memory_bytes();
}
std::uint64_t resident_memory_bytes() { return memory_bytes(); }

Result<MemoryRegion> MemoryRegion::map(std::size_t num_bytes) {
  std::byte* data = grow(num_bytes);
  if (data == nullptr) {
    return resource_exhausted("no memory for a region of " + std::to_string(num_bytes >> 20U) +
                              " MiB");
  }
  return MemoryRegion(std::unique_ptr<std::byte, Unmap>(data, {num_bytes}));
}
void MemoryRegion::Unmap::operator()(std::byte*) const {}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY);
  if (file < 0) return bad_model("cannot read " + path.string() + ": " + std::strerror(errno));
  struct stat info = {};
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(file);
    return bad_model(path.string() + " is not a plain file");
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  std::byte* data = size == 0 ? nullptr : grow(size);
  std::size_t done = 0;
  while (data != nullptr && done < size) {
    const ssize_t got = ::read(file, data + done, size - done);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  ::close(file);
  if (size != 0 && data == nullptr) return resource_exhausted("no memory to read " + path.string());
  if (done < size) return bad_model("cannot read " + path.string() + ": the read failed");
  return MappedFile(std::unique_ptr<const std::byte, Unmap>(data, {size}));
}
void MappedFile::drop(std::span<const std::byte>) {}
void MappedFile::Unmap::operator()(const std::byte*) const {}

}  // namespace quire
