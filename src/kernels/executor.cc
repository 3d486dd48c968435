#include "kernels/executor.h"

#include <algorithm>
#include <atomic>

namespace quire::kernels {

void SerialExecutor::parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) {
  for (std::int64_t i = 0; i < n; ++i) body(i);
}

int num_workers(const Executor& executor, std::int64_t items) {
  return static_cast<int>(
      std::clamp<std::int64_t>(executor.num_threads(), 1, std::max<std::int64_t>(items, 1)));
}

void for_each_item(Executor& executor,
                   std::int64_t items,
                   FunctionRef<void(std::int64_t, int)> body) {
  const int workers = num_workers(executor, items);
  if (workers == 1) {
    for (std::int64_t item = 0; item < items; ++item) body(item, 0);
    return;
  }
  std::atomic<std::int64_t> next = 0;
  const auto work = [&](std::int64_t worker) {
    while (true) {
      // Relaxed is enough: the counter hands out numbers; parallel_for orders the memory.
      const std::int64_t item = next.fetch_add(1, std::memory_order_relaxed);
      if (item >= items) return;
      body(item, static_cast<int>(worker));
    }
  };
  executor.parallel_for(workers, work);
}

}  // namespace quire::kernels
