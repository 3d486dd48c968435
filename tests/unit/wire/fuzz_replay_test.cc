#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(ParserFuzzReplayTest, PromptJsonHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/prompt_json", fuzz::prompt_json);
}

}  // namespace
}  // namespace quire
