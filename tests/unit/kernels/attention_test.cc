#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/half.h"
#include "unit/kernels/attention_test_util.h"
#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {
namespace {

float rounded(float value, KvDtype dtype) {
  if (dtype == KvDtype::kFloat32) return value;
  if (dtype == KvDtype::kFloat16) return half_to_float(to_half(value));
  if (dtype == KvDtype::kInt8) return value;  // whole rows: see stored()
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fffU + (bits >> 16 & 1U)) & 0xffff0000U;
  std::memcpy(&value, &bits, 4);
  return value;
}

std::vector<double> rotated(const Model& model, const float* x, std::int64_t position) {
  std::vector<double> y(x, x + model.params.head_dim);
  const std::int64_t half = model.rotary_half;
  for (std::int64_t i = 0; i < half; ++i) {
    const bool pairs = model.params.rotary_interleaved;
    const std::size_t first = to_size(pairs ? 2 * i : i);
    const std::size_t second = to_size(pairs ? 2 * i + 1 : i + half);
    const double cos = model.cos[to_size(position * half + i)];
    const double sin = model.sin[to_size(position * half + i)];
    y[first] = x[first] * cos - x[second] * sin;
    y[second] = x[second] * cos + x[first] * sin;
  }
  return y;
}

// What the cache holds of one head's key or value.
std::vector<double> stored(std::vector<double> row, KvDtype dtype) {
  double most = 0;
  for (const double x : row) most = std::max(most, std::abs(x));
  for (double& x : row) {
    if (dtype != KvDtype::kInt8) {
      x = rounded(static_cast<float>(x), dtype);
    } else if (most > 0) {
      x = std::nearbyint(x * 127 / most) * most / 127;
    }
  }
  return row;
}

// One output head of one token, straight from the definition.
std::vector<double> naive_head(const Model& model,
                               const Sequence& s,
                               std::int64_t token,
                               std::int64_t head) {
  const AttentionParams& p = model.params;
  const std::int64_t d = p.head_dim;
  const std::int64_t kv = head / (p.num_heads / p.kv_num_heads);
  const auto query = rotated(model, s.query.data() + token * model.query_width() + head * d, token);
  const double scale = p.scale != 0 ? p.scale : 1.0 / std::sqrt(static_cast<double>(d));
  const std::int64_t begin =
      p.local_window_size > 0 ? std::max<std::int64_t>(0, token + 1 - p.local_window_size) : 0;
  std::vector<double> scores;
  for (std::int64_t j = begin; j <= token; ++j) {
    const auto key =
        stored(rotated(model, s.key.data() + j * model.kv_width() + kv * d, j), p.dtype);
    double dot = 0;
    for (std::size_t i = 0; i < query.size(); ++i) dot += query[i] * key[i];
    dot *= scale;
    scores.push_back(p.softcap > 0 ? p.softcap * std::tanh(dot / p.softcap) : dot);
  }
  double sum = model.sink.empty() ? 0.0 : std::exp(double{model.sink[to_size(head)]});
  std::vector<double> out(to_size(d));
  for (std::size_t j = 0; j < scores.size(); ++j) {
    const double weight = std::exp(scores[j]);
    sum += weight;
    const float* row =
        s.value.data() + (begin + static_cast<std::int64_t>(j)) * model.kv_width() + kv * d;
    const std::vector<double> value = stored({row, row + d}, p.dtype);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += weight * value[i];
  }
  for (double& v : out) v /= sum;
  return out;
}

class AttentionTest : public testing::TestWithParam<Isa> {
 protected:
  std::vector<float> run(const Model& model,
                         Cache& cache,
                         const std::vector<Slice>& slices,
                         int threads = 1,
                         bool packed = false) {
    Step step = make_step(model, slices, packed);
    cache.bind(step.inputs);
    std::vector<float> out(to_size(step.inputs.num_tokens * model.query_width()), -77.0F);
    ThreadedExecutor executor(threads);
    const Status status =
        paged_attention({GetParam(), executor, workspace_}, model.params, step.inputs, out);
    EXPECT_TRUE(status.ok()) << status.message();
    return out;
  }

  std::vector<float> alone(const Model& model, const Sequence& sequence, std::uint32_t seed) {
    Cache cache(model, 64, seed);
    return run(model, cache, {{&sequence, 0, sequence.length, cache.take(sequence.length)}});
  }

  Workspace workspace_;
};

KvDtype dtype_of(std::uint32_t seed) { return static_cast<KvDtype>(seed % 4); }

// A few sequences have so many keys that they are shared out in chunks.
std::int64_t some_length(Random& random, std::uint32_t seed) {
  return seed % 20 == 0 ? random.integer(513, 800) : random.integer(1, 200);
}

TEST_P(AttentionTest, MatchesTheDefinitionInDoublePrecision) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Model model = random_model(random, dtype_of(seed));
    const Sequence sequence = random_sequence(random, model, some_length(random, seed));
    const std::vector<float> out = alone(model, sequence, seed);
    std::vector<double> want;
    for (std::int64_t t = 0; t < sequence.length; ++t) {
      for (std::int64_t h = 0; h < model.params.num_heads; ++h) {
        const std::vector<double> head = naive_head(model, sequence, t, h);
        want.insert(want.end(), head.begin(), head.end());
      }
    }
    // A rotated key may fall to the other neighbour than its double-precision twin.
    const double tolerance[] = {2e-5, 2e-3, 2e-2, 4e-2};
    ASSERT_LT(max_difference(out, want), tolerance[static_cast<int>(model.params.dtype)]);
  }
}

TEST_P(AttentionTest, PrefillInOneGoEqualsTokenByTokenAndAnyChunks) {
  for (std::uint32_t seed = 100; seed < 130; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Model model = random_model(random, dtype_of(seed));
    const Sequence sequence = random_sequence(random, model, some_length(random, seed));
    const std::vector<float> whole = alone(model, sequence, seed);
    for (const std::int64_t longest : {1, 7, 70}) {
      Cache cache(model, 64, seed + 1);
      const std::vector<std::int32_t> blocks = cache.take(sequence.length);
      std::vector<float> pieces;
      for (std::int64_t past = 0; past < sequence.length;) {
        const std::int64_t count = std::min(random.integer(1, longest), sequence.length - past);
        const std::vector<float> piece = run(
            model, cache, {{&sequence, past, count, blocks}}, static_cast<int>(longest % 4 + 1));
        pieces.insert(pieces.end(), piece.begin(), piece.end());
        past += count;
      }
      ASSERT_TRUE(same_bits(pieces, whole)) << longest;
    }
  }
}

TEST_P(AttentionTest, ASequenceIsTheSameAloneAndInACrowd) {
  for (std::uint32_t seed = 200; seed < 225; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Model model = random_model(random, dtype_of(seed));
    std::vector<Sequence> sequences;
    std::vector<std::vector<float>> want;
    std::vector<Slice> state;
    Cache cache(model, 400, seed);
    for (int i = 0; i < 6; ++i) {
      sequences.push_back(random_sequence(
          random, model, some_length(random, seed + static_cast<std::uint32_t>(i))));
      want.push_back(alone(model, sequences.back(), seed + 7));
    }
    for (const Sequence& s : sequences) state.push_back({&s, 0, 0, cache.take(s.length)});
    while (true) {
      std::vector<Slice> step;
      for (Slice& s : state) {
        s.past += s.count;
        s.count = std::min(random.integer(0, 60), s.sequence->length - s.past);
        if (s.count > 0 || random.integer(0, 3) == 0) step.push_back(s);  // empty ones too
      }
      std::shuffle(step.begin(), step.end(), std::mt19937(seed));
      const std::vector<float> out =
          run(model, cache, step, static_cast<int>(random.integer(1, 4)), seed % 3 == 0);
      std::size_t at = 0;
      for (const Slice& s : step) {
        const auto index = static_cast<std::size_t>(s.sequence - sequences.data());
        const std::size_t size = to_size(s.count * model.query_width());
        const auto expected =
            std::span(want[index]).subspan(to_size(s.past * model.query_width()), size);
        ASSERT_TRUE(same_bits(std::span(out).subspan(at, size), expected));
        at += size;
      }
      if (std::all_of(state.begin(), state.end(), [](const Slice& s) {
            return s.past + s.count == s.sequence->length;
          })) {
        break;
      }
    }
  }
}

TEST_P(AttentionTest, NanOfALaterTokenDoesNotReachEarlierOnesOrOtherSequences) {
  for (std::uint32_t seed = 300; seed < 310; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Model model = random_model(random, dtype_of(seed));
    const Sequence other = random_sequence(random, model, 70);
    Sequence sequence = random_sequence(random, model, 100);
    const std::vector<float> clean = alone(model, sequence, seed);
    const std::vector<float> clean_other = alone(model, other, seed);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (std::int64_t i = 0; i < model.kv_width(); ++i) {
      sequence.key[to_size(90 * model.kv_width() + i)] = nan;
      sequence.value[to_size(90 * model.kv_width() + i)] = nan;
    }
    Cache cache(model, 60, seed);
    const std::vector<float> out =
        run(model, cache, {{&sequence, 0, 100, cache.take(100)}, {&other, 0, 70, cache.take(70)}});
    const std::size_t before = to_size(90 * model.query_width());
    EXPECT_TRUE(same_bits(std::span(out).first(before), std::span(clean).first(before)));
    EXPECT_TRUE(std::isnan(out[before]));
    EXPECT_TRUE(same_bits(std::span(out).subspan(to_size(100 * model.query_width())), clean_other));
  }
}

TEST_P(AttentionTest, BlocksBeforeTheWindowMayBeGone) {
  Random random(7);
  Model model;
  model.params.num_heads = 2;
  model.params.kv_num_heads = 1;
  model.params.head_dim = 16;
  model.params.local_window_size = 20;
  const Sequence sequence = random_sequence(random, model, 130);
  const std::vector<float> whole = alone(model, sequence, 1);
  Cache cache(model, 30, 2);
  std::vector<std::int32_t> blocks = cache.take(130);
  run(model, cache, {{&sequence, 0, 100, blocks}});
  for (std::size_t b = 0; b < 5; ++b) blocks[b] = -1;  // keys 0 ... 79; the first seen is 81
  const std::vector<float> rest = run(model, cache, {{&sequence, 100, 30, blocks}});
  EXPECT_TRUE(same_bits(rest, std::span(whole).subspan(100 * 32)));
}

TEST_P(AttentionTest, HugeScoresDoNotOverflow) {
  Random random(8);
  Model model;
  model.params.num_heads = 1;
  model.params.kv_num_heads = 1;
  model.params.head_dim = 16;
  Sequence sequence = random_sequence(random, model, 80);
  for (float& q : sequence.query) q *= 1e4F;
  for (const float v : alone(model, sequence, 1)) EXPECT_TRUE(std::isfinite(v));
  std::fill(sequence.query.begin(), sequence.query.end(), 0.0F);
  const std::vector<float> mean = alone(model, sequence, 1);
  float sum = 0;
  for (std::size_t t = 0; t < 80; ++t) sum += sequence.value[t * 16];
  EXPECT_NEAR(mean[79 * 16], sum / 80, 1e-5);
}

TEST_P(AttentionTest, ASinkOfNoWeightIsNone) {
  Random random(9);
  Model model;
  model.params.num_heads = 2;
  model.params.kv_num_heads = 1;
  model.params.head_dim = 16;
  const Sequence sequence = random_sequence(random, model, 600);
  const std::vector<float> without = alone(model, sequence, 1);
  model.sink.assign(2, -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(same_bits(alone(model, sequence, 1), without));
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionTest, testing::ValuesIn(supported_isas()), isa_test_name);

}  // namespace
}  // namespace quire::kernels
