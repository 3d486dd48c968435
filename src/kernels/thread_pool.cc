#include "kernels/thread_pool.h"

#include <chrono>
#include <cstddef>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace quire::kernels {
namespace {

// How long a thread spins before it sleeps: longer than the gaps inside a step, shorter than a
// scheduler's time slice, so that on a crowded machine little is burnt.
constexpr std::chrono::microseconds kSpin(60);
// Sleeps while `value` is `seen`; until wake_all().
#if defined(__wasm__)
// Debian's libc++ for WebAssembly is built without threads: its wait() would spin for good.
void sleep_while(std::atomic<std::uint32_t>& value, std::uint32_t seen) {
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&value), static_cast<int>(seen), -1);
}
void wake_all(std::atomic<std::uint32_t>& value) {
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&value), ~0U);
}
#else
void sleep_while(std::atomic<std::uint32_t>& value, std::uint32_t seen) { value.wait(seen); }
void wake_all(std::atomic<std::uint32_t>& value) { value.notify_all(); }
#endif

// Spins between two looks at the clock.
constexpr int kSpinsOfALook = 32;

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until `done` holds or kSpin is over; whether it holds.
template <typename Done>
bool spin_until(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kSpinsOfALook; ++i) {
      if (done()) return true;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

#if defined(__linux__)
// Ties `thread` to the index-th processor that the process may use.
void pin(std::thread* thread, int index) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  const int count = CPU_COUNT(&allowed);
  if (count == 0) return;
  int left = index % count;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || left-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(thread->native_handle(), sizeof(one), &one);
    return;
  }
}
#else
void pin(std::thread*, int) {}
#endif

}  // namespace

ThreadPool::ThreadPool(int num_threads, bool pinned) {
  threads_.reserve(static_cast<std::size_t>(num_threads > 1 ? num_threads - 1 : 0));
  try {
    for (int i = 1; i < num_threads; ++i) {
      threads_.emplace_back([this] { work(); });
      if (pinned) pin(&threads_.back(), i);
    }
  } catch (...) {
    end_threads();  // those that were made would end the program with their handles
    throw;
  }
}

ThreadPool::~ThreadPool() { end_threads(); }

void ThreadPool::end_threads() {
  stopping_.store(true);
  ticket_.fetch_add(2);
  wake_all(ticket_);
  for (std::thread& thread : threads_) thread.join();
}

// A thread counts itself in before it looks whether its job is still open; the caller closes the
// job before it looks whether anybody is in. One of the two sees the other, so no thread touches a
// job that is over. That order between two variables needs sequential consistency, the default.
void ThreadPool::parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) {
  if (n <= 1 || threads_.empty()) {
    for (std::int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  body_ = &body;
  size_ = n;
  next_.store(0, std::memory_order_relaxed);
  ticket_.fetch_add(1);
  wake_all(ticket_);
  take_share();
  ticket_.fetch_add(1);
  const auto nobody_inside = [this] { return num_inside_.load() == 0; };
  while (!nobody_inside()) {
    if (spin_until(nobody_inside)) return;
    const std::uint32_t inside = num_inside_.load();
    if (inside != 0) sleep_while(num_inside_, inside);
  }
}

void ThreadPool::take_share() {
  while (true) {
    // Relaxed: the ticket orders the job's memory, the counter only hands out numbers.
    const std::int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= size_) return;
    (*body_)(i);
  }
}

std::uint32_t ThreadPool::wait_for_job(std::uint32_t seen) {
  const auto is_new = [this, seen] {
    const std::uint32_t ticket = ticket_.load();
    return ticket != seen && (ticket % 2 == 1 || stopping_.load());
  };
  while (!spin_until(is_new)) {
    const std::uint32_t ticket = ticket_.load();
    // Looked at after the ticket, which end_threads() changes last: a thread that slept on the
    // ticket of the end itself would sleep for good.
    if (stopping_.load()) return ticket;
    // A job that opens in between changes the ticket, and nobody sleeps.
    if (ticket == seen || ticket % 2 == 0) sleep_while(ticket_, ticket);
  }
  return ticket_.load();
}

void ThreadPool::work() {
  std::uint32_t seen = 0;
  while (true) {
    const std::uint32_t ticket = wait_for_job(seen);
    if (stopping_.load()) return;
    if (ticket % 2 == 0) continue;  // it was over before this thread got here
    num_inside_.fetch_add(1);
    if (ticket_.load() == ticket) take_share();
    if (num_inside_.fetch_sub(1) == 1) wake_all(num_inside_);
    seen = ticket;
  }
}

}  // namespace quire::kernels
