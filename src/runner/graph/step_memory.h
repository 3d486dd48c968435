#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/system_memory.h"
#include "quire/status.h"

namespace quire::graph {

// Places values in one region while their lives are walked through in order: best fit, with what is
// given back joined to its neighbours.
class StepMemory {
 public:
  void clear();
  // An offset for `bytes`, aligned to 64.
  std::size_t take(std::size_t bytes);
  void give_back(std::size_t offset, std::size_t bytes);

  // Reserves the region for all that was taken. kResourceExhausted where that is more than the
  // machine has left.
  Status reserve();
  std::byte* data() const { return region_ == nullptr ? nullptr : region_->data(); }

 private:
  struct Hole {
    std::size_t offset = 0;
    std::size_t bytes = 0;
  };

  std::vector<Hole> holes_;  // ascending, never touching one another
  std::size_t end_ = 0;
  bool is_absurd_ = false;  // more than any address can be
  std::unique_ptr<MemoryRegion> region_;
};

}  // namespace quire::graph
