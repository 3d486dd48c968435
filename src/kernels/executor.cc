#include "kernels/executor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace quire::kernels {

void SerialExecutor::parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) {
  for (std::int64_t i = 0; i < n; ++i) body(i);
}

int num_workers(const Executor& executor, std::int64_t items) {
  return static_cast<int>(
      std::clamp<std::int64_t>(executor.num_threads(), 1, std::max<std::int64_t>(items, 1)));
}

namespace {

// One worker's stretch of the items. It takes them in order, so that what it reads of a matrix is
// one stream; a worker that has finished its own takes from the others' ends of the queue.
struct alignas(64) Stretch {
  std::atomic<std::int64_t> next = 0;
  std::int64_t end = 0;
};

constexpr int kMaxStretches = 64;

}  // namespace

void for_each_item(Executor& executor,
                   std::int64_t items,
                   FunctionRef<void(std::int64_t, int)> body) {
  const int workers = num_workers(executor, items);
  if (workers == 1) {
    for (std::int64_t item = 0; item < items; ++item) body(item, 0);
    return;
  }
  std::array<Stretch, kMaxStretches> stretches;
  const int count = std::min(workers, kMaxStretches);
  for (int i = 0; i < count; ++i) {
    Stretch& stretch = stretches[static_cast<std::size_t>(i)];
    stretch.next.store(items * i / count, std::memory_order_relaxed);
    stretch.end = items * (i + 1) / count;
  }
  const auto work = [&](std::int64_t worker) {
    for (int i = 0; i < count; ++i) {
      Stretch& stretch = stretches[static_cast<std::size_t>((worker + i) % count)];
      while (true) {
        // Relaxed is enough: the counter hands out numbers; parallel_for orders the memory.
        const std::int64_t item = stretch.next.fetch_add(1, std::memory_order_relaxed);
        if (item >= stretch.end) break;
        body(item, static_cast<int>(worker));
      }
    }
  };
  executor.parallel_for(workers, work);
}

}  // namespace quire::kernels
