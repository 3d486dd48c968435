#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/half.h"
#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {
namespace {

constexpr float kCap = 30.0F;
constexpr ActivationKind kKinds[] = {ActivationKind::kSilu,
                                     ActivationKind::kGelu,
                                     ActivationKind::kGeluTanh,
                                     ActivationKind::kRelu,
                                     ActivationKind::kReluSquared,
                                     ActivationKind::kSigmoid,
                                     ActivationKind::kTanh,
                                     ActivationKind::kSoftCap};

// The function in double precision.
double exact(ActivationKind kind, double x) {
  switch (kind) {
    case ActivationKind::kSilu:
      return x / (1.0 + std::exp(-x));
    case ActivationKind::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case ActivationKind::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case ActivationKind::kRelu:
      return std::max(x, 0.0);
    case ActivationKind::kReluSquared:
      return x > 0 ? x * x : 0.0;
    case ActivationKind::kSigmoid:
      return 1.0 / (1.0 + std::exp(-x));
    case ActivationKind::kTanh:
      return std::tanh(x);
    case ActivationKind::kSoftCap:
      return kCap * std::tanh(x / kCap);
  }
  return 0.0;
}

class ElementwiseTest : public testing::TestWithParam<Isa> {
 protected:
  std::vector<float> norm(std::span<const float> x, std::span<const float> weight, int threads) {
    std::vector<float> y(x.size());
    ThreadedExecutor executor(threads);
    EXPECT_TRUE(rms_norm({GetParam(), executor, workspace_}, x, weight, 1e-5F, y).ok());
    return y;
  }
  std::vector<float> gate(std::span<const float> x, std::int64_t width, int threads) {
    std::vector<float> y(x.size() / 2);
    ThreadedExecutor executor(threads);
    EXPECT_TRUE(activate({GetParam(), executor, workspace_}, {.gated = true}, x, width, y).ok());
    return y;
  }
  std::vector<float> apply(const ActivationParams& params,
                           std::span<const float> x,
                           std::int64_t width,
                           int threads) {
    std::vector<float> y(params.gated ? x.size() / 2 : x.size());
    ThreadedExecutor executor(threads);
    EXPECT_TRUE(activate({GetParam(), executor, workspace_}, params, x, width, y).ok());
    return y;
  }
  std::vector<float> centre(std::span<const float> x,
                            std::span<const float> weight,
                            std::span<const float> bias,
                            int threads) {
    std::vector<float> y(x.size());
    ThreadedExecutor executor(threads);
    EXPECT_TRUE(layer_norm({GetParam(), executor, workspace_}, x, weight, bias, 1e-5F, y).ok());
    return y;
  }

  Workspace workspace_;
};

TEST_P(ElementwiseTest, RmsNormMatchesDoublePrecision) {
  Random random(1);
  for (const std::int64_t k : {1, 2, 15, 16, 17, 64, 576, 577}) {
    const std::vector<float> x = random.normals(3 * k, 4.0F);
    const std::vector<float> weight = random.normals(k);
    std::vector<double> want;
    for (std::size_t row = 0; row < 3; ++row) {
      const auto values = std::span(x).subspan(row * weight.size(), weight.size());
      double squares = 0;
      for (const float v : values) squares += static_cast<double>(v) * v;
      const double factor = 1.0 / std::sqrt(squares / static_cast<double>(k) + 1e-5);
      for (std::size_t i = 0; i < weight.size(); ++i)
        want.push_back(values[i] * factor * weight[i]);
    }
    EXPECT_LT(max_difference(norm(x, weight, 1), want), 4e-6) << k;
  }
}

TEST_P(ElementwiseTest, SwigluMatchesDoublePrecisionOverTheWholeRange) {
  std::vector<float> x;
  std::vector<double> want;
  for (int i = 0; i < 4001; ++i) x.push_back(static_cast<float>(i - 2000) * 0.05F);
  for (int i = 0; i < 4001; ++i) x.push_back(1.0F);
  for (std::size_t i = 0; i < 4001; ++i) want.push_back(x[i] / (1.0 + std::exp(-double{x[i]})));
  const std::vector<float> y = gate(x, 4001, 1);
  for (std::size_t i = 0; i < y.size(); ++i) {
    EXPECT_NEAR(y[i], want[i], std::abs(want[i]) * 5e-7 + 1e-35) << "at " << x[i];
  }
}

TEST_P(ElementwiseTest, ActivationsMatchDoublePrecisionOverTheWholeRange) {
  std::vector<float> x;
  for (int i = 0; i < 8001; ++i) x.push_back(static_cast<float>(i - 4000) * 0.025F);
  for (const float edge : {1e-30F, -1e-6F, 0.99999994F, 1.4142135F, 5.95F, 1e4F, -1e4F}) {
    x.push_back(edge);
  }
  for (const ActivationKind kind : kKinds) {
    const std::vector<float> y =
        apply({kind, false, kCap}, x, static_cast<std::int64_t>(x.size()), 1);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = exact(kind, x[i]);
      // 1 + erf(x) of a negative x cancels, here as in every framework.
      const double slack = kind == ActivationKind::kGelu ? 2e-7 * std::abs(double{x[i]}) : 1e-7;
      EXPECT_NEAR(y[i], want, std::abs(want) * 1e-6 + slack)
          << "kind " << static_cast<int>(kind) << " at " << x[i];
    }
  }
}

TEST_P(ElementwiseTest, LayerNormMatchesDoublePrecision) {
  Random random(4);
  for (const std::int64_t k : {1, 2, 15, 16, 17, 64, 577}) {
    std::vector<float> x = random.normals(3 * k, 4.0F);
    for (float& value : x) value += 10.0F;
    const std::vector<float> weight = random.normals(k);
    const std::vector<float> bias = random.normals(k);
    for (const bool has_bias : {false, true}) {
      std::vector<double> want;
      for (std::size_t row = 0; row < 3; ++row) {
        const auto values = std::span(x).subspan(row * weight.size(), weight.size());
        double mean = 0;
        for (const float v : values) mean += v / static_cast<double>(k);
        double squares = 0;
        for (const float v : values) squares += (v - mean) * (v - mean);
        const double factor = 1.0 / std::sqrt(squares / static_cast<double>(k) + 1e-5);
        for (std::size_t i = 0; i < weight.size(); ++i) {
          want.push_back((values[i] - mean) * factor * weight[i] + (has_bias ? bias[i] : 0.0F));
        }
      }
      const auto y = centre(x, weight, has_bias ? std::span(bias) : std::span<const float>(), 1);
      // A lone element is its own mean; otherwise the mean's rounding is what remains.
      EXPECT_LT(max_difference(y, want), 2e-5) << k;
    }
  }
}

TEST_P(ElementwiseTest, EveryActivationOfARowIsTheSameAloneAndAmongOthers) {
  Random random(5);
  for (const std::int64_t k : {1, 7, 31, 576}) {
    const std::int64_t rows = 40'000 / k;
    const auto width = static_cast<std::size_t>(k);
    const std::vector<float> x = random.normals(rows * 2 * k, 3.0F);
    const std::vector<float> weight = random.normals(k);
    const std::vector<float> normed = centre(x, weight, weight, 3);
    for (int i = 0; i < 10; ++i) {
      const auto row = static_cast<std::size_t>(random.integer(0, rows - 1));
      const auto one = std::span(x).subspan(row * width, width);
      EXPECT_TRUE(
          same_bits(centre(one, weight, weight, 1), std::span(normed).subspan(row * width, width)));
    }
    for (const ActivationKind kind : kKinds) {
      for (const std::size_t parts : {std::size_t{1}, std::size_t{2}}) {
        const ActivationParams params{kind, parts == 2, kCap};
        const std::vector<float> all = apply(params, x, k, 3);
        for (int i = 0; i < 5; ++i) {
          const auto row = static_cast<std::size_t>(random.integer(0, rows - 1));
          const auto one = std::span(x).subspan(row * parts * width, parts * width);
          EXPECT_TRUE(
              same_bits(apply(params, one, k, 1), std::span(all).subspan(row * width, width)));
        }
      }
    }
  }
}

TEST_P(ElementwiseTest, ANanPassesThroughEveryActivationAlone) {
  std::vector<float> x(37, 0.5F);
  x[36] = std::numeric_limits<float>::quiet_NaN();
  for (const ActivationKind kind : kKinds) {
    const std::vector<float> y = apply({kind, false, kCap}, x, 37, 1);
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), i == 36) << static_cast<int>(kind);
    }
  }
}

TEST_P(ElementwiseTest, RowsAreTheSameAloneAndAmongOthersOnAnyThreads) {
  Random random(2);
  for (const std::int64_t k : {1, 7, 31, 576}) {
    const std::int64_t rows = 100'000 / k;
    const std::vector<float> weight = random.normals(k);
    const std::vector<float> x = random.normals(rows * 2 * k);
    const std::vector<float> normed = norm(x, weight, 3);
    const std::vector<float> gated = gate(x, k, 3);
    const auto width = static_cast<std::size_t>(k);
    for (int i = 0; i < 50; ++i) {
      const auto row = static_cast<std::size_t>(random.integer(0, rows - 1));
      EXPECT_TRUE(same_bits(norm(std::span(x).subspan(row * width, width), weight, 1),
                            std::span(normed).subspan(row * width, width)));
      EXPECT_TRUE(same_bits(gate(std::span(x).subspan(row * 2 * width, 2 * width), k, 1),
                            std::span(gated).subspan(row * width, width)));
    }
  }
}

TEST_P(ElementwiseTest, NanStaysInItsRow) {
  Random random(3);
  std::vector<float> x = random.normals(4 * 40);
  const std::vector<float> weight = random.normals(40);
  const std::vector<float> clean = norm(x, weight, 1);
  x[45] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y = norm(x, weight, 1);
  EXPECT_TRUE(std::isnan(y[40]) && std::isnan(y[79]));
  EXPECT_TRUE(same_bits(std::span(y).first(40), std::span(clean).first(40)));
  EXPECT_TRUE(same_bits(std::span(y).subspan(80), std::span(clean).subspan(80)));
  const std::vector<float> gated = gate(x, 20, 1);
  for (std::size_t i = 0; i < gated.size(); ++i) EXPECT_EQ(std::isnan(gated[i]), i == 25);
}

TEST_P(ElementwiseTest, SizesThatDoNotFitAreRefused) {
  SerialExecutor executor;
  const KernelContext context{GetParam(), executor, workspace_};
  std::vector<float> a(12);
  std::vector<float> b(5);
  EXPECT_FALSE(rms_norm(context, a, b, 0.1F, a).ok());
  EXPECT_FALSE(rms_norm(context, a, {}, 0.1F, a).ok());
  EXPECT_FALSE(activate(context, {.gated = true}, a, 4, b).ok());
  EXPECT_FALSE(activate(context, {.gated = true}, a, 0, std::span(a).first(6)).ok());
  EXPECT_FALSE(activate(context, {.gated = true}, a, 4, std::span(a).first(6)).ok());
  EXPECT_FALSE(activate(context, {}, a, 4, b).ok());
  EXPECT_FALSE(activate(context, {.kind = ActivationKind::kSoftCap}, a, 4, a).ok());
  EXPECT_FALSE(layer_norm(context, a, b, {}, 0.1F, a).ok());
  EXPECT_FALSE(layer_norm(context, a, std::span(a).first(4), b, 0.1F, a).ok());
}

INSTANTIATE_TEST_SUITE_P(Isas, ElementwiseTest, testing::ValuesIn(supported_isas()), isa_test_name);

TEST(EmbeddingTest, ReadsEveryFormat) {
  const std::uint16_t scale = to_half(0.5F);
  const std::uint16_t min = to_half(-2.0F);
  std::vector<std::byte> nibbles(32);
  for (std::size_t j = 0; j < 32; ++j)
    nibbles[j] = static_cast<std::byte>(j % 16 | (15 - j % 16) << 4);
  const std::uint16_t scales[] = {scale, scale};
  const std::uint16_t mins[] = {min, min};
  const std::int64_t ids[] = {1};
  std::vector<float> y(20);
  ASSERT_TRUE(embedding({20, 2, WeightType::kInt4, nibbles, scales, {}}, ids, y).ok());
  EXPECT_EQ(y[3], (3 - 8) * 0.5F);
  EXPECT_EQ(y[17], (14 - 8) * 0.5F);
  ASSERT_TRUE(embedding({20, 2, WeightType::kInt4, nibbles, scales, mins}, ids, y).ok());
  EXPECT_EQ(y[3], 3 * 0.5F - 2.0F);
  std::vector<std::byte> bytes(64, static_cast<std::byte>(0x80));
  ASSERT_TRUE(embedding({20, 2, WeightType::kInt8, bytes, scales, {}}, ids, y).ok());
  EXPECT_EQ(y[19], -64.0F);
  const std::uint16_t halves[] = {0x3c00, 0x3c00, 0x0001, 0xfc00};
  std::vector<float> two(2);
  ASSERT_TRUE(
      embedding({2, 2, WeightType::kFloat16, std::as_bytes(std::span(halves)), {}, {}}, ids, two)
          .ok());
  EXPECT_EQ(two[0], 0x1p-24F);
  EXPECT_EQ(two[1], -std::numeric_limits<float>::infinity());
  const std::uint16_t brains[] = {0, 0, 0x3f80, 0xc040};
  ASSERT_TRUE(
      embedding({2, 2, WeightType::kBfloat16, std::as_bytes(std::span(brains)), {}, {}}, ids, two)
          .ok());
  EXPECT_EQ(two[0], 1.0F);
  EXPECT_EQ(two[1], -3.0F);
}

TEST(EmbeddingTest, AnUnknownIdIsAnErrorAndWritesNothing) {
  const float table[] = {1, 2, 3, 4};
  const WeightView weights{2, 2, WeightType::kFloat32, std::as_bytes(std::span(table)), {}, {}};
  for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{2}, INT64_MAX, INT64_MIN}) {
    const std::int64_t ids[] = {0, bad};
    std::vector<float> y(4, 9.0F);
    EXPECT_EQ(embedding(weights, ids, y).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(y, std::vector<float>(4, 9.0F));
  }
  std::vector<float> y(3);
  const std::int64_t ids[] = {0, 1};
  EXPECT_FALSE(embedding(weights, ids, y).ok());
}

TEST(HalfTest, EveryHalfIsReadExactly) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto exponent = static_cast<int>(bits >> 10 & 31U);
    const auto mantissa = static_cast<double>(bits & 1023U);
    const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), mantissa != 0);
      EXPECT_EQ(std::isinf(value), mantissa == 0);
    } else {
      const double want =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024.0 + mantissa, exponent - 25);
      EXPECT_EQ(value, sign * want);
    }
  }
}

}  // namespace
}  // namespace quire::kernels
