#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(ParserFuzzReplayTest, ModelInfoHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/model_info", fuzz::model_info);
}

}  // namespace
}  // namespace quire
