#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(ParserFuzzReplayTest, OnnxInspectHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/onnx_inspect", fuzz::onnx_inspect);
}

}  // namespace
}  // namespace quire
