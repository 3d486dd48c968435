#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(ToolCallsFuzzReplayTest, ToolCallsHoldOverTheirCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/tool_calls", fuzz::tool_calls);
}

}  // namespace
}  // namespace quire
