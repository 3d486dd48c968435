#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(FuzzReplayTest, CalculatorHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/calculator", fuzz::calculator);
}

}  // namespace
}  // namespace quire
