#include "kernels/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

namespace quire::kernels {
namespace {

constexpr int kMaxThreads = 9;

double process_cpu_ms() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

// One body for each thread of the pool, none of which ends before all have begun: so each thread,
// the caller too, runs exactly one.
template <typename Body>
void run_on_every_thread(ThreadPool* pool, const Body& body) {
  std::latch all_begun(pool->num_threads());
  pool->parallel_for(pool->num_threads(), [&](std::int64_t i) {
    all_begun.arrive_and_wait();
    body(i);
  });
}

// Work whose length the compiler cannot know.
void turn(int rounds) {
  for (int i = 0; i < rounds; ++i) asm volatile("" : : : "memory");
}

TEST(ThreadPoolTest, EveryIndexRunsExactlyOnceOnOneToNineThreadsForTenThousandSizes) {
  std::mt19937 random(1);
  for (int threads = 1; threads <= kMaxThreads; ++threads) {
    ThreadPool pool(threads);
    for (int round = 0; round < 10'000 / kMaxThreads + 1; ++round) {
      const std::int64_t largest = round % 50 == 0 ? 3000 : 20;
      const std::int64_t n = std::uniform_int_distribution<std::int64_t>(0, largest)(random);
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(n));
      pool.parallel_for(n, [&](std::int64_t i) { runs.at(static_cast<std::size_t>(i))++; });
      ASSERT_TRUE(std::all_of(
          runs.begin(), runs.end(), [](const auto& count) { return count.load() == 1; }))
          << n << " indices on " << threads << " threads";
    }
  }
}

// A job lives on the caller's stack and its data on the heap, both gone when parallel_for()
// returns: AddressSanitizer and ThreadSanitizer see a thread that comes late and touches either.
TEST(ThreadPoolTest, ALateThreadNeverTouchesAFinishedJob) {
  std::mt19937 random(2);
  ThreadPool pool(kMaxThreads);
  for (int round = 0; round < 10'000; ++round) {
    const std::int64_t n = std::uniform_int_distribution<std::int64_t>(2, 5)(random);
    const int rounds_of_a_body = std::uniform_int_distribution<int>(0, 3000)(random);
    auto job = std::make_unique<std::vector<int>>(static_cast<std::size_t>(n), -1);
    pool.parallel_for(n, [&job, round, rounds_of_a_body](std::int64_t i) {
      turn(rounds_of_a_body * static_cast<int>(i + 1));
      (*job)[static_cast<std::size_t>(i)] = round;
    });
    ASSERT_EQ(*job, std::vector<int>(static_cast<std::size_t>(n), round));
    job.reset();
    turn(rounds_of_a_body);  // so that threads go to sleep in some rounds and spin in others
  }
}

// One job right after another, each over before most threads have come: what they find then is the
// next one, half written unless they look again whose it is.
TEST(ThreadPoolTest, AThreadThatComesForTheLastJobDoesNotTouchTheNextBeforeItIsOpen) {
  ThreadPool pool(2);  // more would keep each other from the processors
  for (int round = 0; round < 200'000; ++round) {
    std::vector<int> job(static_cast<std::size_t>(2 + round % 2), -1);
    pool.parallel_for(std::ssize(job),
                      [&job, round](std::int64_t i) { job[static_cast<std::size_t>(i)] = round; });
    ASSERT_EQ(std::count(job.begin(), job.end(), round), std::ssize(job));
  }
}

TEST(ThreadPoolTest, WhatAJobWroteIsSeenByTheCallerAndByEveryThreadOfTheNext) {
  constexpr std::int64_t kSize = 64;
  ThreadPool pool(4);
  std::vector<std::int64_t> now(kSize);
  std::vector<std::int64_t> next(kSize);
  std::iota(now.begin(), now.end(), 0);
  for (int round = 0; round < 2000; ++round) {
    pool.parallel_for(kSize, [&](std::int64_t i) {
      next[static_cast<std::size_t>(i)] = now[static_cast<std::size_t>((i + 1) % kSize)];
    });
    std::swap(now, next);
  }
  for (std::int64_t i = 0; i < kSize; ++i) {
    EXPECT_EQ(now[static_cast<std::size_t>(i)], (i + 2000) % kSize);
  }
}

TEST(ThreadPoolTest, EveryThreadTakesPartAgainAfterItHasSlept) {
  ThreadPool pool(4);
  for (int round = 0; round < 20; ++round) {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    run_on_every_thread(&pool, [&](std::int64_t) {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    });
    EXPECT_EQ(seen.size(), 4U);
    EXPECT_TRUE(seen.contains(std::this_thread::get_id()));
    // Much longer than the pool spins: in the next round it has to wake its threads.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    while (std::chrono::steady_clock::now() < end) turn(100);
  }
}

TEST(ThreadPoolTest, APoolOfOneThreadOrFewerRunsInOrderOnTheCaller) {
  const std::thread::id caller = std::this_thread::get_id();
  for (const int threads : {1, 0, -3}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.num_threads(), 1);
    std::vector<std::int64_t> order;
    pool.parallel_for(5, [&](std::int64_t i) {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      order.push_back(i);
    });
    EXPECT_EQ(order, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  }
}

TEST(ThreadPoolTest, NothingRunsForNoIndicesAndOneIndexRunsOnTheCaller) {
  ThreadPool pool(3);
  pool.parallel_for(0, [](std::int64_t) { ADD_FAILURE() << "no index, yet a body"; });
  pool.parallel_for(-1, [](std::int64_t) { ADD_FAILURE() << "no index, yet a body"; });
  std::thread::id runner;
  pool.parallel_for(1, [&](std::int64_t) { runner = std::this_thread::get_id(); });
  EXPECT_EQ(runner, std::this_thread::get_id());
}

// The one wait of the suite: what an idle pool costs is an amount a time, so a time has to pass.
TEST(ThreadPoolTest, AnIdlePoolTakesNoProcessorTime) {
  ThreadPool pool(4);
  run_on_every_thread(&pool, [](std::int64_t) {});
  const double before = process_cpu_ms();
  timespec interval = {.tv_sec = 0, .tv_nsec = 200'000'000};
  while (nanosleep(&interval, &interval) != 0) continue;
  EXPECT_LT(process_cpu_ms() - before, 20);
}

TEST(ThreadPoolTest, APoolEndsWhetherItsThreadsHaveBegunOrSpinOrSleep) {
  for (int round = 0; round < 200; ++round) {
    {
      const ThreadPool never_used(5);
    }
    ThreadPool pool(5);
    std::atomic<int> runs = 0;
    pool.parallel_for(40, [&](std::int64_t) { ++runs; });
    EXPECT_EQ(runs.load(), 40);
    turn(round * 1000);
  }
}

// The stop comes at every moment around the one where a thread has spun for long enough and goes to
// sleep: one that slept on the ticket of the stop itself would never be joined.
TEST(ThreadPoolTest, APoolEndsWhileAThreadIsFallingAsleep) {
  using std::chrono::steady_clock;
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; ++round) {
    ThreadPool pool(2);
    std::latch begun(2);
    pool.parallel_for(2, [&](std::int64_t) { begun.arrive_and_wait(); });
    const auto end = steady_clock::now() + std::chrono::nanoseconds(40'000 + 40 * round);
    while (steady_clock::now() < end) continue;
  }
}

// A sanitizer's own memory does not fit the limit.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(ThreadPoolTest, WhereNotAllThreadsCanBeMadeThoseMadeEndAndTheCallerIsTold) {
  const auto make_too_many = [] {
    const rlimit limit = {.rlim_cur = 512U << 20U, .rlim_max = 512U << 20U};
    if (setrlimit(RLIMIT_AS, &limit) != 0) std::exit(2);
    try {
      const ThreadPool pool(1000);
    } catch (const std::system_error&) {
      std::exit(0);
    }
    std::exit(1);
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(make_too_many(), testing::ExitedWithCode(0), "");
}
#endif

TEST(ThreadPoolTest, EachPinnedThreadStaysOnOneProcessorThatTheProcessMayUseAndTheCallerIsFree) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  ThreadPool pool(4, /*pinned=*/true);
  const std::thread::id caller = std::this_thread::get_id();
  std::vector<cpu_set_t> masks(4);
  std::vector<std::thread::id> ids(4);
  run_on_every_thread(&pool, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    ids[at] = std::this_thread::get_id();
    sched_getaffinity(0, sizeof(masks[at]), &masks[at]);
  });
  for (std::size_t i = 0; i < masks.size(); ++i) {
    if (ids[i] == caller) {
      EXPECT_TRUE(CPU_EQUAL(&masks[i], &allowed));
      continue;
    }
    cpu_set_t both;
    CPU_AND(&both, &masks[i], &allowed);
    EXPECT_EQ(CPU_COUNT(&masks[i]), 1);
    EXPECT_EQ(CPU_COUNT(&both), 1);
  }
}

}  // namespace
}  // namespace quire::kernels
