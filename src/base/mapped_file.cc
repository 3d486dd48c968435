#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace quire {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return bad_model("cannot read " + path.string() + ": " + std::strerror(errno));
  struct stat info = {};
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(file);
    return bad_model(path.string() + " is not a plain file");
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  // An empty file cannot be mapped and needs no memory.
  void* data = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  ::close(file);
  if (data == MAP_FAILED) return resource_exhausted("no memory to map " + path.string());
  return MappedFile(
      std::unique_ptr<const std::byte, Unmap>(static_cast<const std::byte*>(data), {size}));
}

void MappedFile::drop(std::span<const std::byte> range) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(range.data());
  const std::uintptr_t first = (begin + page - 1) / page * page;
  const std::uintptr_t last = (begin + range.size()) / page * page;
  if (last <= first) return;
  const std::size_t offset = first - begin;
  madvise(const_cast<std::byte*>(range.data() + offset), last - first, MADV_DONTNEED);
}

void MappedFile::Unmap::operator()(const std::byte* data) const {
  munmap(const_cast<std::byte*>(data), num_bytes);
}

}  // namespace quire
