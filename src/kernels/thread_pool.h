#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "kernels/executor.h"

namespace quire::kernels {

// Threads that wait for work: the caller of parallel_for() and num_threads - 1 more. They spin for
// the short while between two pieces of a step and sleep when nothing comes: an idle pool takes no
// processor time. The caller never waits for a thread that has not begun, so a busy machine costs
// it that thread's help and no more.
class ThreadPool final : public Executor {
 public:
  // `pinned`: each thread but the caller stays on one of the processors the process may use.
  // Throws std::system_error when a thread cannot be made.
  explicit ThreadPool(int num_threads, bool pinned = false);
  ~ThreadPool() override;

  int num_threads() const override { return static_cast<int>(threads_.size()) + 1; }

  // One call at a time, from one thread at a time.
  void parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) override;

 private:
  void end_threads();
  void work();
  void take_share();
  // The first open job behind `seen`; spins, then sleeps.
  std::uint32_t wait_for_job(std::uint32_t seen);

  // Of the job at hand; written while no job is open and no thread inside one.
  const FunctionRef<void(std::int64_t)>* body_ = nullptr;
  std::int64_t size_ = 0;

  alignas(64) std::atomic<std::uint32_t> ticket_ = 0;  // odd: a job is open
  alignas(64) std::atomic<std::int64_t> next_ = 0;
  alignas(64) std::atomic<std::uint32_t> num_inside_ = 0;  // threads that may touch the job
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace quire::kernels
