#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "kernels/attention.h"
#include "unit/kernels/attention_test_util.h"

namespace quire::kernels {
namespace {

// A valid step that a test spoils in one place.
class AttentionCheckTest : public testing::Test {
 protected:
  AttentionCheckTest() {
    model_.params.num_heads = 2;
    model_.params.kv_num_heads = 1;
    model_.params.head_dim = 8;
    model_.params.do_rotary = true;
    model_.rotary_half = 4;
    model_.cos.assign(64 * 4, 1.0F);
    model_.sin.assign(64 * 4, 0.0F);
    Random random(1);
    sequence_ = random_sequence(random, model_, 20);
    cache_.emplace(model_, 4, 1);
    step_ = make_step(model_, {{&sequence_, 0, 20, {2, 3}}}, false);
    cache_->bind(step_.inputs);
    out_.resize(20 * 16);
  }

  Status run() {
    SerialExecutor executor;
    Workspace workspace;
    return paged_attention(
        {Isa::kPortable, executor, workspace}, model_.params, step_.inputs, out_);
  }
  void expect_refused(const std::string& words) {
    const Status status = run();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  }

  Model model_;
  Sequence sequence_;
  std::optional<Cache> cache_;
  Step step_;
  std::vector<float> out_;
};

TEST_F(AttentionCheckTest, AValidStepPasses) { EXPECT_TRUE(run().ok()); }

TEST_F(AttentionCheckTest, ABlockOutsideTheCacheIsRefused) {
  for (const std::int32_t bad : {-1, 4, INT32_MAX, INT32_MIN}) {
    step_.table[1] = bad;
    expect_refused("block " + std::to_string(bad));
  }
}

TEST_F(AttentionCheckTest, LengthsThatDoNotFitAreRefused) {
  step_.cumulative = {0, 19};
  expect_refused("from 0 to 20");
  step_.cumulative = {1, 20};
  expect_refused("from 0 to 20");
  step_.cumulative = {0, 20};
  step_.past[0] = 13;
  expect_refused("do not fit 2 blocks");
  step_.past[0] = -1;
  expect_refused("negative");
  step_.past[0] = INT32_MAX;
  expect_refused("has no row in cos and sin");
  step_.inputs.past_lengths = {};
  expect_refused("one entry more");
}

TEST_F(AttentionCheckTest, DescendingLengthsAreRefused) {
  step_.cumulative = {0, 30, 20};
  step_.past = {0, 0};
  step_.table = {0, 1, 2, 3};
  step_.inputs.cumulative_lengths = step_.cumulative;
  step_.inputs.past_lengths = step_.past;
  step_.inputs.block_table = step_.table;
  EXPECT_EQ(run().code(), StatusCode::kInvalidArgument);
}

TEST_F(AttentionCheckTest, APositionBeyondTheRotaryTableIsRefused) {
  step_.inputs.cos = std::span(model_.cos).first(19 * 4);
  step_.inputs.sin = std::span(model_.sin).first(19 * 4);
  expect_refused("position 19");
  step_.inputs.sin = model_.sin;
  expect_refused("cos and sin");
}

TEST_F(AttentionCheckTest, ParametersOutOfBoundsAreRefused) {
  const AttentionParams good = model_.params;
  const auto refuse = [&](auto change) {
    model_.params = good;
    change(model_.params);
    EXPECT_EQ(run().code(), StatusCode::kInvalidArgument);
  };
  refuse([](AttentionParams& p) { p.num_heads = 0; });
  refuse([](AttentionParams& p) { p.kv_num_heads = 0; });
  refuse([](AttentionParams& p) { p.kv_num_heads = 3; });
  refuse([](AttentionParams& p) { p.head_dim = kMaxHeadDim + 1; });
  refuse([](AttentionParams& p) { p.block_size = 24; });
  refuse([](AttentionParams& p) { p.block_size = 272; });
  refuse([](AttentionParams& p) { p.local_window_size = 0; });
  refuse([](AttentionParams& p) { p.softcap = -1.0F; });
  refuse([](AttentionParams& p) { p.scale = std::numeric_limits<float>::infinity(); });
}

TEST_F(AttentionCheckTest, AnEmptyStepDoesNothing) {
  step_ = make_step(model_, {}, false);
  cache_->bind(step_.inputs);
  out_.clear();
  EXPECT_TRUE(run().ok());
}

TEST(BlockBytesTest, PadsHeadDimToARegister) {
  EXPECT_EQ(*block_bytes(3, 64, 16, KvDtype::kFloat32), 3 * 64 * 16 * 4);
  EXPECT_EQ(*block_bytes(2, 5, 32, KvDtype::kBfloat16), 2 * 16 * 32 * 2);
  EXPECT_EQ(*block_bytes(2, 5, 32, KvDtype::kInt8), 2 * (16 * 32 + 32 * 4));
  EXPECT_FALSE(block_bytes(0, 5, 32, KvDtype::kBfloat16));
  EXPECT_FALSE(block_bytes(1, 5, 8, KvDtype::kBfloat16));
}

}  // namespace
}  // namespace quire::kernels
