#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "quire/result.h"

namespace quire {

// Bytes a process may still take: what the system has available, or less where a container's limit
// (cgroup v2 or v1) leaves less.
std::uint64_t available_memory_bytes();

// What the limits of the process's control groups, its own and those around it, leave; the largest
// number where there is none. `root` is where the file system begins.
std::uint64_t container_memory_bytes(const std::filesystem::path& root = "/");

// This process's resident memory in bytes; 0 where the system does not tell.
std::uint64_t resident_memory_bytes();

// A large zeroed region from the system, page-aligned, whose pages cost memory only once they are
// touched. Fails with kResourceExhausted.
class MemoryRegion {
 public:
  static Result<MemoryRegion> map(std::size_t num_bytes);

  std::byte* data() const { return data_.get(); }
  std::size_t size() const { return data_.get_deleter().num_bytes; }

 private:
  struct Unmap {
    std::size_t num_bytes = 0;
    void operator()(std::byte* data) const;
  };
  explicit MemoryRegion(std::unique_ptr<std::byte, Unmap> data) : data_(std::move(data)) {}

  std::unique_ptr<std::byte, Unmap> data_;
};

}  // namespace quire
