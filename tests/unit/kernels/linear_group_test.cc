#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "kernels/thread_pool.h"
#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {
namespace {

// A random matrix [n, k], packed.
PackedLinear random_packed(
    Random& random, WeightType type, bool has_min, std::int64_t k, std::int64_t n) {
  const bool is_int4 = type == WeightType::kInt4;
  const std::int64_t units = n * ((k + kQuantBlock - 1) / kQuantBlock);
  std::vector<std::byte> weight;
  std::vector<std::uint16_t> scale;
  std::vector<std::uint16_t> min;
  std::vector<float> plain;
  WeightView view{.k = k, .n = n, .type = type};
  if (type == WeightType::kFloat32) {
    plain = random.normals(n * k);
    view.weight = std::as_bytes(std::span<const float>(plain));
  } else {
    weight.resize(static_cast<std::size_t>(units * (is_int4 ? 16 : 32)));
    for (std::byte& b : weight) b = static_cast<std::byte>(random.integer(0, 255));
    for (std::int64_t i = 0; i < units; ++i) scale.push_back(to_half(0.05F * random.normal()));
    for (std::int64_t i = 0; has_min && i < units; ++i)
      min.push_back(to_half(0.3F * random.normal()));
    view.weight = weight;
    view.scale = scale;
    view.min = min;
  }
  auto packed = PackedLinear::pack(view, random.normals(n));
  EXPECT_TRUE(packed) << packed.error().message();
  return *std::move(packed);
}

struct Kind {
  WeightType type;
  bool has_min = false;
  ActivationBits bits = ActivationBits::k16;
};
constexpr Kind kKinds[] = {{WeightType::kInt4, false},
                           {WeightType::kInt4, true},
                           {WeightType::kInt8, false, ActivationBits::k8},
                           {WeightType::kInt8, true},
                           {WeightType::kFloat32}};

class LinearGroupTest : public testing::TestWithParam<Isa> {
 protected:
  KernelContext context() { return {GetParam(), pool_, workspace_}; }

  std::vector<float> plain_linear(const PackedLinear& weights,
                                  ActivationBits bits,
                                  std::span<const float> x) {
    std::vector<float> y(x.size() / static_cast<std::size_t>(weights.k()) *
                         static_cast<std::size_t>(weights.n()));
    EXPECT_TRUE(linear(context(), weights, bits, x, y).ok());
    return y;
  }

  ThreadPool pool_{3};
  Workspace workspace_;
};

// Norm, three matrices, a residual behind one and a gate behind another, against the single
// kernels one after another.
TEST_P(LinearGroupTest, AGroupHasTheBitsOfItsPartsOneAfterAnother) {
  constexpr std::int64_t kK = 96;
  Random random(7);
  for (const Kind& kind : kKinds) {
    for (const std::int64_t rows : {1, 2, 5, 17, 40, 150}) {
      const PackedLinear first = random_packed(random, kind.type, kind.has_min, kK, 50);
      const PackedLinear second = random_packed(random, kind.type, kind.has_min, kK, 128);
      const PackedLinear third = random_packed(random, kind.type, kind.has_min, kK, 200);
      const std::vector<float> x = random.normals(rows * kK);
      const std::vector<float> norm = random.normals(kK);
      const std::vector<float> residual = random.normals(rows * 200);
      std::vector<float> normed(x.size());
      ASSERT_TRUE(rms_norm(context(), x, norm, 1e-5F, normed).ok());
      const std::vector<float> want_first = plain_linear(first, kind.bits, normed);
      const std::vector<float> wide = plain_linear(second, kind.bits, normed);
      std::vector<float> want_second(static_cast<std::size_t>(rows * 64));
      ASSERT_TRUE(
          activate(context(), {.kind = ActivationKind::kSilu, .gated = true}, wide, 64, want_second)
              .ok());
      std::vector<float> want_third = plain_linear(third, kind.bits, normed);
      for (std::size_t i = 0; i < want_third.size(); ++i)
        want_third[i] = residual[i] + want_third[i];

      std::vector<float> got_first(want_first.size());
      std::vector<float> got_second(want_second.size());
      std::vector<float> got_third(want_third.size());
      const ActivationKind silu = ActivationKind::kSilu;
      const LinearTarget targets[] = {
          {.weights = &first, .activation_bits = kind.bits, .y = got_first},
          {.weights = &second, .activation_bits = kind.bits, .y = got_second, .gate = &silu},
          {.weights = &third, .activation_bits = kind.bits, .y = got_third, .residual = residual}};
      const Status status =
          linear_group(context(), {.x = x, .norm = norm, .epsilon = 1e-5F}, targets);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(got_first, want_first) << rows;
      EXPECT_EQ(got_second, want_second) << rows;
      EXPECT_EQ(got_third, want_third) << rows;
    }
  }
}

TEST_P(LinearGroupTest, MatricesThatWantTheirRowsQuantizedDifferentlyAreRefused) {
  Random random(7);
  const PackedLinear four = random_packed(random, WeightType::kInt4, false, 64, 32);
  const PackedLinear eight = random_packed(random, WeightType::kInt8, false, 64, 32);
  const PackedLinear narrow = random_packed(random, WeightType::kInt4, false, 32, 32);
  const std::vector<float> x = random.normals(64);
  std::vector<float> y(32);
  std::vector<float> z(32);
  const auto refused = [&](const LinearTarget& a, const LinearTarget& b) {
    const LinearTarget targets[] = {a, b};
    return linear_group(context(), {.x = x}, targets).code() == StatusCode::kInvalidArgument;
  };
  const LinearTarget plain = {.weights = &four, .activation_bits = ActivationBits::k8, .y = y};
  EXPECT_TRUE(refused(plain, {.weights = &eight, .activation_bits = ActivationBits::k8, .y = z}));
  EXPECT_TRUE(refused(plain, {.weights = &four, .activation_bits = ActivationBits::k16, .y = z}));
  EXPECT_TRUE(refused(plain, {.weights = &narrow, .activation_bits = ActivationBits::k8, .y = z}));
  EXPECT_FALSE(refused(plain, {.weights = &four, .activation_bits = ActivationBits::k8, .y = z}));
}

TEST_P(LinearGroupTest, ATableReadFromItsPackedFormHasTheBitsOfThePlainOne) {
  Random random(7);
  constexpr std::int64_t kK = 70;
  constexpr std::int64_t kN = 37;
  const std::int64_t blocks = kN * ((kK + kQuantBlock - 1) / kQuantBlock);
  for (const bool has_min : {false, true}) {
    for (const WeightType type : {WeightType::kInt4, WeightType::kInt8}) {
      std::vector<std::byte> weight(
          static_cast<std::size_t>(blocks * (type == WeightType::kInt4 ? 16 : 32)));
      for (std::byte& b : weight) b = static_cast<std::byte>(random.integer(0, 255));
      std::vector<std::uint16_t> scale;
      std::vector<std::uint16_t> min;
      for (std::int64_t i = 0; i < blocks; ++i) scale.push_back(to_half(random.normal()));
      for (std::int64_t i = 0; has_min && i < blocks; ++i) min.push_back(to_half(random.normal()));
      const WeightView view = {kK, kN, type, weight, scale, min};
      const auto packed = PackedLinear::pack(view, {});
      ASSERT_TRUE(packed);
      const std::vector<std::int64_t> ids = {0, 36, 15, 16, 31};
      std::vector<float> want(ids.size() * kK);
      std::vector<float> got(want.size());
      ASSERT_TRUE(embedding(view, ids, want).ok());
      ASSERT_TRUE(embedding(*packed, ids, got).ok());
      EXPECT_EQ(got, want);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, LinearGroupTest, testing::ValuesIn(supported_isas()), isa_test_name);

}  // namespace
}  // namespace quire::kernels
