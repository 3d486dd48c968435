#include "kernels/workspace.h"

#include <new>

namespace quire::kernels {

AlignedBuffer::AlignedBuffer(std::size_t bytes)
    : memory_(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kAlignment}))),
      size_(bytes) {}

void AlignedBuffer::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, std::align_val_t{kAlignment});
}

std::byte* Workspace::reserve(std::size_t bytes) {
  if (bytes > buffer_.size() || buffer_.data() == nullptr) {
    buffer_ = AlignedBuffer();  // freed before the new one is made: the old content is not needed
    buffer_ = AlignedBuffer(aligned_bytes(bytes + bytes / 4 + 1));
  }
  return buffer_.data();
}

}  // namespace quire::kernels
