#include <gtest/gtest.h>

#include "fuzz/fuzz_bodies.h"
#include "fuzz/replay.h"

namespace quire {
namespace {

TEST(FuzzReplay, AnyBytesAsAConstraintAreRefusedInOneLineOrHaveAnEnd) {
  fuzz::replay_corpus(QUIRE_FUZZ_CORPUS "/grammar", fuzz::grammar);
}

}  // namespace
}  // namespace quire
