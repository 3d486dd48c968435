#include "runner/graph/step_memory.h"

#include <algorithm>
#include <string>

#include "quire/result.h"

namespace quire::graph {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t rounded(std::size_t bytes) {
  return std::max<std::size_t>((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
}

}  // namespace

void StepMemory::clear() {
  holes_.clear();
  end_ = 0;
  is_absurd_ = false;
}

std::size_t StepMemory::take(std::size_t bytes) {
  bytes = rounded(bytes);
  auto best = holes_.end();
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
    if (hole->bytes >= bytes && (best == holes_.end() || hole->bytes < best->bytes)) best = hole;
  }
  if (best == holes_.end()) {
    const std::size_t offset = end_;
    is_absurd_ |= __builtin_add_overflow(end_, bytes, &end_);
    return offset;
  }
  const std::size_t offset = best->offset;
  best->offset += bytes;
  best->bytes -= bytes;
  if (best->bytes == 0) holes_.erase(best);
  return offset;
}

void StepMemory::give_back(std::size_t offset, std::size_t bytes) {
  const auto next = std::ranges::lower_bound(holes_, offset, {}, &Hole::offset);
  auto hole = holes_.insert(next, {offset, rounded(bytes)});
  if (hole + 1 != holes_.end() && hole->offset + hole->bytes == (hole + 1)->offset) {
    hole->bytes += (hole + 1)->bytes;
    holes_.erase(hole + 1);
  }
  if (hole == holes_.begin() || (hole - 1)->offset + (hole - 1)->bytes != hole->offset) return;
  (hole - 1)->bytes += hole->bytes;
  holes_.erase(hole);
}

Status StepMemory::reserve() {
  if (region_ != nullptr && region_->size() >= end_) return ok_status();
  if (is_absurd_ || end_ > available_memory_bytes()) {
    return resource_exhausted("a step of this graph needs " + std::to_string(end_ >> 20U) +
                              " MiB for its values; lower max_batch_tokens");
  }
  region_.reset();  // before the new one is made: nothing of a step outlives it
  QUIRE_ASSIGN(MemoryRegion region, MemoryRegion::map(end_ + end_ / 4 + kAlignment));
  region_ = std::make_unique<MemoryRegion>(std::move(region));
  return ok_status();
}

}  // namespace quire::graph
