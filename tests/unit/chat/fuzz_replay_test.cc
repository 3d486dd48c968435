#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(FuzzReplayTest, ChatTemplateHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/chat_template", fuzz::chat_template);
}

}  // namespace
}  // namespace quire
