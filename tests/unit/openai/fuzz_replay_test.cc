#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(ApiFuzzReplayTest, ApiRequestsHoldOverTheirCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/api_request", fuzz::api_request);
}

}  // namespace
}  // namespace quire
