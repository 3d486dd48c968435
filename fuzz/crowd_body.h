#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace quire::fuzz {

// The decisions of a random run: taken from the bytes of a fuzzer while there are some, then from a
// generator seeded with the rest of them.
class Choices {
 public:
  explicit Choices(std::string_view bytes);
  explicit Choices(std::uint64_t seed) : random_(seed) {}

  // A number from low to high.
  int pick(int low, int high);

 private:
  std::string_view bytes_;
  std::mt19937_64 random_;
};

// What a crowd did, so that a test can see that it met what it is about.
struct CrowdReport {
  std::string failure;  // empty: every answer was the answer alone
  int num_finished = 0;
  long num_preemptions = 0;
  long num_prefix_hits = 0;
  int num_faults = 0;
  int num_results = 0;  // of tools
  long num_guesses = 0;
  long num_right_guesses = 0;
};

// The promise the engine makes: what a request gets depends on the request alone. Runs one random
// crowd over a tiny cache, a small budget and few slots, with cancels, shared beginnings, several
// samples, a tool, speculation and faults, checks the invariants after every step and holds every
// answer against the one computed without an engine.
CrowdReport run_crowd(Choices choices);

}  // namespace quire::fuzz
