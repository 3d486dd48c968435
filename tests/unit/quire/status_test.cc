#include "quire/status.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(Status, ANextStepStandsBehindTheCause) {
  const Status status = bad_model("m.onnx is damaged").with_next_step("download it again");
  EXPECT_EQ(status.message(), "m.onnx is damaged; download it again");
  EXPECT_EQ(status.code(), StatusCode::kBadModel);
}

TEST(Status, AStepThatIsNamedAlreadyStays) {
  const Status status = bad_model("m.onnx is damaged; export it").with_next_step("download it");
  EXPECT_EQ(status.message(), "m.onnx is damaged; export it");
}

TEST(Status, OkStaysOk) { EXPECT_TRUE(ok_status().with_next_step("do it again").ok()); }

}  // namespace
}  // namespace quire
