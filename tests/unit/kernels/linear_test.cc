#include "kernels/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/half.h"
#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {
namespace {

constexpr std::int64_t kBlock = 32;

// A random weight matrix in plain storage, and its values.
struct Matrix {
  WeightType type = WeightType::kFloat32;
  bool has_min = false;
  ActivationBits activation_bits = ActivationBits::k8;
  std::int64_t k = 0;
  std::int64_t n = 0;
  std::vector<std::byte> weight;
  std::vector<std::uint16_t> scale;
  std::vector<std::uint16_t> min;
  std::vector<float> bias;

  WeightView view() const { return {k, n, type, weight, scale, min}; }
  std::int64_t blocks() const { return (k + kBlock - 1) / kBlock; }

  // The stored integer of an element, with the 8 of Q4_0 taken off.
  int quant(std::int64_t row, std::int64_t i) const {
    const std::int64_t block = row * blocks() + i / kBlock;
    const std::int64_t j = i % kBlock;
    if (type == WeightType::kInt8) {
      return static_cast<std::int8_t>(weight[static_cast<std::size_t>(block * kBlock + j)]);
    }
    const int both = std::to_integer<int>(weight[static_cast<std::size_t>(block * 16 + j % 16)]);
    return (j < 16 ? both & 15 : both >> 4) - (has_min ? 0 : 8);
  }
  double block_scale(std::int64_t row, std::int64_t block) const {
    return half_to_float(scale[static_cast<std::size_t>(row * blocks() + block)]);
  }
  double block_min(std::int64_t row, std::int64_t block) const {
    return has_min ? half_to_float(min[static_cast<std::size_t>(row * blocks() + block)]) : 0.0;
  }
  double plain(std::int64_t row, std::int64_t i) const {
    const auto index = static_cast<std::size_t>(row * k + i);
    if (type == WeightType::kFloat32) {
      float value;
      std::memcpy(&value, weight.data() + index * 4, 4);
      return value;
    }
    std::uint16_t value;
    std::memcpy(&value, weight.data() + index * 2, 2);
    return type == WeightType::kFloat16 ? half_to_float(value) : bfloat16_to_float(value);
  }
};

struct Format {
  WeightType type;
  bool has_min = false;
  ActivationBits activation_bits = ActivationBits::k8;
};

constexpr Format kFormats[] = {{WeightType::kInt4, false, ActivationBits::k8},
                               {WeightType::kInt4, true, ActivationBits::k8},
                               {WeightType::kInt8, false, ActivationBits::k8},
                               {WeightType::kInt8, true, ActivationBits::k8},
                               {WeightType::kInt4, false, ActivationBits::k16},
                               {WeightType::kInt4, true, ActivationBits::k16},
                               {WeightType::kInt8, false, ActivationBits::k16},
                               {WeightType::kInt8, true, ActivationBits::k16},
                               {WeightType::kFloat16},
                               {WeightType::kBfloat16},
                               {WeightType::kFloat32}};

Matrix random_matrix(Random& random, Format format, std::int64_t k, std::int64_t n, bool bias) {
  Matrix m{format.type, format.has_min, format.activation_bits, k, n, {}, {}, {}, {}};
  const bool quantized = format.type == WeightType::kInt4 || format.type == WeightType::kInt8;
  if (quantized) {
    const auto blocks = static_cast<std::size_t>(n * m.blocks());
    m.weight.resize(blocks * (format.type == WeightType::kInt4 ? 16 : 32));
    for (std::byte& b : m.weight) b = static_cast<std::byte>(random.integer(0, 255));
    for (std::size_t i = 0; i < blocks; ++i) {
      m.scale.push_back(to_half(0.05F * random.normal()));
      if (format.has_min) m.min.push_back(to_half(0.3F * random.normal()));
    }
  } else {
    for (std::int64_t i = 0; i < n * k; ++i) {
      const float value = random.normal();
      std::uint32_t bits;
      std::memcpy(&bits, &value, 4);
      const auto half = format.type == WeightType::kFloat16
                            ? to_half(value)
                            : static_cast<std::uint16_t>(bits >> 16);
      const std::size_t at = m.weight.size();
      const std::size_t size = format.type == WeightType::kFloat32 ? 4 : 2;
      m.weight.resize(at + size);
      std::memcpy(m.weight.data() + at,
                  size == 4 ? static_cast<const void*>(&value) : static_cast<const void*>(&half),
                  size);
    }
  }
  if (bias) m.bias = random.normals(n);
  return m;
}

// The documented arithmetic in double precision, block by block.
double naive_element(const Matrix& m, std::span<const float> x, std::int64_t row) {
  const float limit = m.activation_bits == ActivationBits::k8 ? 127.0F : 32639.0F;
  double y = m.bias.empty() ? 0.0 : m.bias[static_cast<std::size_t>(row)];
  if (m.scale.empty()) {
    for (std::int64_t i = 0; i < m.k; ++i) y += m.plain(row, i) * x[static_cast<std::size_t>(i)];
    return y;
  }
  for (std::int64_t b = 0; b < m.blocks(); ++b) {
    const std::int64_t end = std::min(m.k, (b + 1) * kBlock);
    float most = 0;
    for (std::int64_t i = b * kBlock; i < end; ++i) {
      most = std::max(most, std::abs(x[static_cast<std::size_t>(i)]));
    }
    const float sx = most / limit;
    if (sx == 0.0F) continue;
    std::int64_t dot = 0;
    std::int64_t sum = 0;
    for (std::int64_t i = b * kBlock; i < end; ++i) {
      const float rounded = std::nearbyintf(x[static_cast<std::size_t>(i)] / sx);
      const auto xq = static_cast<std::int64_t>(std::clamp(rounded, -limit, limit));
      dot += m.quant(row, i) * xq;
      sum += xq;
    }
    y += m.block_scale(row, b) * sx * static_cast<double>(dot) +
         m.block_min(row, b) * sx * static_cast<double>(sum);
  }
  return y;
}

std::vector<float> run(Isa isa, const Matrix& m, std::span<const float> x, int threads = 1) {
  const Result<PackedLinear> packed = PackedLinear::pack(m.view(), m.bias);
  EXPECT_TRUE(packed) << packed.error().message();
  std::vector<float> y(x.size() / static_cast<std::size_t>(m.k) * static_cast<std::size_t>(m.n),
                       -77.0F);
  ThreadedExecutor executor(threads);
  Workspace workspace;
  const Status status = linear({isa, executor, workspace}, *packed, m.activation_bits, x, y);
  EXPECT_TRUE(status.ok()) << status.message();
  return y;
}

class LinearTest : public testing::TestWithParam<Isa> {};

TEST_P(LinearTest, EveryFormatMatchesTheDocumentedArithmetic) {
  Random random(1);
  const std::int64_t sizes[][2] = {{1, 1},
                                   {5, 1},
                                   {1, 17},
                                   {31, 16},
                                   {32, 15},
                                   {33, 64},
                                   {64, 65},
                                   {100, 130},
                                   {576, 96},
                                   {577, 33}};
  for (const Format format : kFormats) {
    for (const auto& [k, n] : sizes) {
      for (const std::int64_t rows : {1, 2, 3, 4, 5, 9}) {
        const Matrix m = random_matrix(random, format, k, n, rows % 2 == 0);
        const std::vector<float> x = random.normals(rows * k);
        const std::vector<float> y = run(GetParam(), m, x);
        std::vector<double> want;
        for (std::int64_t r = 0; r < rows; ++r) {
          const auto row =
              std::span(x).subspan(static_cast<std::size_t>(r * k), static_cast<std::size_t>(k));
          for (std::int64_t i = 0; i < n; ++i) want.push_back(naive_element(m, row, i));
        }
        ASSERT_LT(max_difference(y, want), 2e-6 * std::sqrt(static_cast<double>(k)) * 16)
            << "format " << static_cast<int>(format.type) << " 16-bit "
            << (format.activation_bits == ActivationBits::k16) << " k " << k << " n " << n
            << " rows " << rows;
      }
    }
  }
}

TEST_P(LinearTest, ARowIsTheSameAloneAndAmongOthersOnAnyThreads) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Format format = kFormats[seed % std::size(kFormats)];
    const std::int64_t k = random.integer(1, 300);
    const std::int64_t n = random.integer(1, 400);
    const std::int64_t rows = random.integer(1, 300);
    const Matrix m = random_matrix(random, format, k, n, seed % 2 == 0);
    const std::vector<float> x = random.normals(rows * k);
    const std::vector<float> all = run(GetParam(), m, x, static_cast<int>(random.integer(1, 5)));
    std::int64_t row = 0;
    while (row < rows) {
      const std::int64_t count = std::min(random.integer(1, 20), rows - row);
      const auto part = std::span(x).subspan(static_cast<std::size_t>(row * k),
                                             static_cast<std::size_t>(count * k));
      const auto want = std::span(all).subspan(static_cast<std::size_t>(row * n),
                                               static_cast<std::size_t>(count * n));
      ASSERT_TRUE(same_bits(run(GetParam(), m, part, 1 + static_cast<int>(row % 3)), want));
      row += count;
    }
  }
}

TEST_P(LinearTest, NonFiniteActivationsPoisonTheirOwnRowOnly) {
  Random random(3);
  for (const Format format : kFormats) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      const Matrix m = random_matrix(random, format, 70, 40, false);
      std::vector<float> x = random.normals(6 * 70);
      const std::vector<float> clean = run(GetParam(), m, x);
      x[2 * 70 + 69] = bad;
      const std::vector<float> y = run(GetParam(), m, x);
      for (std::size_t i = 0; i < 40; ++i) {
        const float poisoned = y[2 * 40 + i];
        EXPECT_TRUE(m.scale.empty() ? !std::isfinite(poisoned) : std::isnan(poisoned));
      }
      EXPECT_TRUE(same_bits(std::span(y).first(80), std::span(clean).first(80)));
      EXPECT_TRUE(same_bits(std::span(y).subspan(120), std::span(clean).subspan(120)));
    }
  }
}

TEST_P(LinearTest, ExtremeWeightsAndActivationsStayExactInTheIntegers) {
  Random random(4);
  for (const Format format : kFormats) {
    if (format.type != WeightType::kInt4 && format.type != WeightType::kInt8) continue;
    for (const int fill : {0x00, 0x7f, 0x80, 0xff}) {
      Matrix m = random_matrix(random, format, 96, 33, false);
      std::fill(m.weight.begin(), m.weight.end(), static_cast<std::byte>(fill));
      for (const float value : {0.0F, 1e-45F, 3e-44F, 1e-30F, 1.0F, -1.0F, 1e30F}) {
        const std::vector<float> x(96, value);
        const std::vector<float> y = run(GetParam(), m, x);
        for (std::int64_t i = 0; i < 33; ++i) {
          const double want = naive_element(m, x, i);
          // Where the scale is subnormal it has too few bits for x / sx to stay below 127.
          if (value != 0.0F && std::abs(value) < 1e-40F) continue;
          EXPECT_NEAR(
              y[static_cast<std::size_t>(i)], want, std::abs(want) * 1e-5 + 1e-5 * std::abs(value));
        }
      }
    }
  }
}

// A block's largest activation is 32639, so its scale is 1 and the others stay the integers they
// are; with scales of 1 the answer is the integer sum itself.
TEST_P(LinearTest, SixteenBitSumsAreExactAtTheEdgesOfTheBytesTheyAreSplitInto) {
  constexpr int kEdges[] = {-32639, -32513, -32512, -32385, -32384, -257,  -256,  -255, -129,
                            -128,   -127,   -1,     0,      1,      127,   128,   129,  255,
                            256,    257,    32383,  32384,  32511,  32512, 32513, 32639};
  Random random(9);
  for (const Format format : kFormats) {
    if (format.activation_bits != ActivationBits::k16) continue;
    for (int round = 0; round < 40; ++round) {
      Matrix m = random_matrix(random, format, 32, 33, false);
      std::fill(m.scale.begin(), m.scale.end(), std::uint16_t{0x3c00});
      std::fill(m.min.begin(), m.min.end(), std::uint16_t{0});
      const int fills[] = {0x00, 0x7f, 0x80, 0xff};
      if (round % 5 != 4) {
        std::fill(m.weight.begin(), m.weight.end(), static_cast<std::byte>(fills[round % 5]));
      }
      std::vector<float> x(32, round % 2 == 0 ? 32639.0F : -32639.0F);
      if (round >= 10) {
        for (std::size_t i = 1; i < x.size(); ++i) {
          const std::int64_t edge = random.integer(0, std::ssize(kEdges) - 1);
          x[i] = static_cast<float>(round >= 25 ? random.integer(-32639, 32639) : kEdges[edge]);
        }
      }
      const std::vector<float> y = run(GetParam(), m, x);
      for (std::int64_t n = 0; n < 33; ++n) {
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < 32; ++i) {
          sum += m.quant(n, i) * static_cast<std::int64_t>(x[static_cast<std::size_t>(i)]);
        }
        ASSERT_EQ(y[static_cast<std::size_t>(n)], static_cast<float>(sum)) << "round " << round;
      }
    }
  }
}

TEST_P(LinearTest, SixteenBitActivationsAreFiftyTimesCloserToTheExactProduct) {
  Random random(10);
  for (const Format format : kFormats) {
    if (format.activation_bits != ActivationBits::k16) continue;
    Matrix m = random_matrix(random, format, 576, 64, false);
    const std::vector<float> x = random.normals(5 * 576);
    double squares[2] = {};
    for (const ActivationBits bits : {ActivationBits::k8, ActivationBits::k16}) {
      m.activation_bits = bits;
      const std::vector<float> y = run(GetParam(), m, x);
      for (std::int64_t at = 0; at < std::ssize(y); ++at) {
        double exact = 0;
        for (std::int64_t i = 0; i < m.k; ++i) {
          const std::int64_t n = at % m.n;
          const double weight =
              m.block_scale(n, i / kBlock) * m.quant(n, i) + m.block_min(n, i / kBlock);
          exact += weight * x[static_cast<std::size_t>(at / m.n * m.k + i)];
        }
        const double error = y[static_cast<std::size_t>(at)] - exact;
        squares[bits == ActivationBits::k8 ? 0 : 1] += error * error;
      }
    }
    EXPECT_GT(std::sqrt(squares[0] / squares[1]), 50) << static_cast<int>(format.type);
  }
}

TEST_P(LinearTest, AgreesWithThePortablePathWithinRounding) {
  Random random(5);
  for (const Format format : kFormats) {
    const Matrix m = random_matrix(random, format, 576, 200, true);
    const std::vector<float> x = random.normals(7 * 576);
    const std::vector<float> portable = run(Isa::kPortable, m, x);
    const std::vector<double> want(portable.begin(), portable.end());
    EXPECT_LT(max_difference(run(GetParam(), m, x), want), 2e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, LinearTest, testing::ValuesIn(supported_isas()), isa_test_name);

TEST(PackedLinearTest, WrongSizesAreRefusedBeforeAnythingIsRead) {
  Random random(6);
  for (const Format format : kFormats) {
    const Matrix m = random_matrix(random, format, 40, 10, true);
    WeightView view = m.view();
    EXPECT_TRUE(PackedLinear::pack(view, m.bias));
    view.weight = view.weight.first(view.weight.size() - 1);
    EXPECT_EQ(PackedLinear::pack(view, {}).error().code(), StatusCode::kBadModel);
    view = m.view();
    view.n = 11;
    EXPECT_EQ(PackedLinear::pack(view, {}).error().code(), StatusCode::kBadModel);
    view = m.view();
    view.scale = std::span(m.scale).first(m.scale.size() / 2);
    EXPECT_EQ(PackedLinear::pack(view, {}).has_value(), m.scale.empty());
    for (const std::int64_t bad : {std::int64_t{0}, std::int64_t{-1}, INT64_MAX, INT64_MAX / 2}) {
      view = m.view();
      view.k = bad;
      EXPECT_EQ(PackedLinear::pack(view, {}).error().code(), StatusCode::kBadModel);
      view.k = 40;
      view.n = bad;
      EXPECT_EQ(PackedLinear::pack(view, {}).error().code(), StatusCode::kBadModel);
    }
    EXPECT_FALSE(PackedLinear::pack(m.view(), std::span(m.bias).first(9)));
  }
}

TEST(PackedLinearTest, FourBitWeightsStayFourBit) {
  Random random(7);
  const Matrix m = random_matrix(random, kFormats[1], 576, 960, false);
  EXPECT_EQ(PackedLinear::pack(m.view(), {})->memory_bytes(), 576U * 960U * 5U / 8U);
}

TEST(PackedLinearTest, RowsThatDoNotFitAreTheCallersMistake) {
  Random random(8);
  const Matrix m = random_matrix(random, kFormats[0], 32, 16, false);
  const Result<PackedLinear> packed = PackedLinear::pack(m.view(), {});
  SerialExecutor executor;
  Workspace workspace;
  const KernelContext context{Isa::kPortable, executor, workspace};
  const std::vector<float> x(64);
  std::vector<float> y(32);
  EXPECT_TRUE(linear(context, *packed, ActivationBits::k8, x, y).ok());
  EXPECT_FALSE(linear(context, *packed, ActivationBits::k8, std::span(x).first(63), y).ok());
  EXPECT_FALSE(linear(context, *packed, ActivationBits::k8, x, std::span(y).first(16)).ok());
  EXPECT_TRUE(linear(context, *packed, ActivationBits::k8, {}, {}).ok());
}

}  // namespace
}  // namespace quire::kernels
