#pragma once

#include <chrono>
#include <random>
#include <vector>

#include "quire/llm.h"

namespace quire {

// Pieces that the measurements of `quire bench` share.
using BenchClock = std::chrono::steady_clock;

double seconds_since(BenchClock::time_point start);

double median(std::vector<double> values);

// A prompt of random ids below `vocab` that is continued greedily for exactly `num_output` tokens.
GenerateRequest random_request(int num_prompt, int num_output, int vocab, std::mt19937* random);

}  // namespace quire
