#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(ParserFuzzReplayTest, ConfigFileHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/config_file", fuzz::config_file);
}

}  // namespace
}  // namespace quire
