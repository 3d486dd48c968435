#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "quire/result.h"

namespace quire {

// A plain file's bytes in memory, read-only and only as far as they are looked at. Whoever cuts the
// file short meanwhile ends the program: look, copy, and let go.
class MappedFile {
 public:
  // Fails with kBadModel and the file's name.
  static Result<MappedFile> open(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const {
    return {bytes_.get(), bytes_.get_deleter().num_bytes};
  }

  // Gives the memory of whole pages inside `range`, a part of bytes(), back to the system. They are
  // read again when they are looked at again. From any thread.
  static void drop(std::span<const std::byte> range);

 private:
  struct Unmap {
    std::size_t num_bytes = 0;
    void operator()(const std::byte* data) const;
  };
  explicit MappedFile(std::unique_ptr<const std::byte, Unmap> bytes) : bytes_(std::move(bytes)) {}

  std::unique_ptr<const std::byte, Unmap> bytes_;
};

}  // namespace quire
