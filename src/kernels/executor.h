#pragma once

#include <cstdint>

#include "kernels/function_ref.h"

namespace quire::kernels {

// Where a kernel's parallel work runs: the backend's own thread pool, or the calling thread.
// No kernel's result depends on how many threads there are or which of them does what.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  virtual int num_threads() const = 0;

  // Calls body(0) ... body(n - 1), each once, in any order and on any thread; returns when all
  // have.
  virtual void parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) = 0;
};

// Runs everything on the calling thread.
class SerialExecutor final : public Executor {
 public:
  int num_threads() const override { return 1; }
  void parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) override;
};

// How many workers for_each_item() uses: `items` at most, and never more than there are threads.
int num_workers(const Executor& executor, std::int64_t items);

// Calls body(item, worker) once for each item in [0, items). Each worker begins with a stretch of
// its own, in order, and then helps with the others', so a slow thread costs one item; `worker` <
// num_workers() names scratch memory that no two calls use at the same time.
void for_each_item(Executor& executor,
                   std::int64_t items,
                   FunctionRef<void(std::int64_t, int)> body);

}  // namespace quire::kernels
