#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace quire::server {

// A few threads for work that would hold up the I/O thread, with a bounded queue. Tasks must not
// throw. Any thread may use it; destroying it drops what has not begun.
class TaskPool {
 public:
  TaskPool(int num_threads, std::size_t max_waiting);
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  // False when too many tasks wait already; the task is not kept then.
  bool try_run(std::function<void()> task);

 private:
  void work();

  std::size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace quire::server
