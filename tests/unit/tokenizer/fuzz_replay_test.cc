#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(FuzzReplayTest, TokenizerJsonHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/tokenizer_json", fuzz::tokenizer_json);
}

TEST(FuzzReplayTest, StreamDecoderHoldsOverItsCorpus) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/stream_decoder", fuzz::stream_decoder);
}

}  // namespace
}  // namespace quire
