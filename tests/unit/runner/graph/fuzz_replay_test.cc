#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(GraphFuzzReplayTest, GraphModelHoldsOverTheCorpusOfOnnxFiles) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/onnx_inspect", fuzz::graph_model);
}

}  // namespace
}  // namespace quire
