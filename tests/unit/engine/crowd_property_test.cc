#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "fuzz/crowd_body.h"
#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(CrowdPropertyTest, EveryAnswerEqualsTheAnswerAlone) {
  std::uint64_t first = 1;
  std::uint64_t last = 2000;
  if (const char* seed = std::getenv("QUIRE_SEED")) {
    first = last = std::strtoull(seed, nullptr, 10);
  }
  fuzz::CrowdReport total;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const fuzz::CrowdReport report = fuzz::run_crowd(fuzz::Choices(seed));
    ASSERT_EQ(report.failure, "") << "replay with QUIRE_SEED=" << seed;
    total.num_preemptions += report.num_preemptions;
    total.num_prefix_hits += report.num_prefix_hits;
    total.num_faults += report.num_faults;
    total.num_results += report.num_results;
    total.num_guesses += report.num_guesses;
    total.num_right_guesses += report.num_right_guesses;
  }
  if (first == last) return;
  // The property says little unless the crowds meet what it is about.
  EXPECT_GT(total.num_preemptions, 500);
  EXPECT_GT(total.num_prefix_hits, 5000);
  EXPECT_GT(total.num_faults, 500);
  EXPECT_GT(total.num_results, 300);
  EXPECT_GT(total.num_right_guesses, 5000);
  EXPECT_GT(total.num_guesses - total.num_right_guesses, 5000);
}

TEST(CrowdPropertyTest, HoldsOverTheFuzzersCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/crowd", fuzz::crowd);
}

}  // namespace
}  // namespace quire
