#pragma once

#include <cstddef>
#include <memory>

namespace quire::kernels {

// Uninitialised memory aligned to a cache line, owned. Throws std::bad_alloc when there is none.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes);

  std::byte* data() { return memory_.get(); }
  const std::byte* data() const { return memory_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };

  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_ = 0;
};

// Scratch memory that kernels share, one after another, so that a step allocates nothing once it
// has grown. Not thread-safe: one kernel at a time uses it (its workers use parts of it).
class Workspace {
 public:
  // At least `bytes` of uninitialised memory, aligned to 64. What was reserved before is gone.
  // Throws std::bad_alloc when there is no memory.
  std::byte* reserve(std::size_t bytes);

 private:
  AlignedBuffer buffer_;
};

// `bytes` rounded up so that what follows it in a workspace is aligned again.
constexpr std::size_t aligned_bytes(std::size_t bytes) {
  constexpr std::size_t kMask = AlignedBuffer::kAlignment - 1;
  return (bytes + kMask) & ~kMask;
}

}  // namespace quire::kernels
