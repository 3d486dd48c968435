#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {
namespace {

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// All tokens of one sequence: what a step is cut from.
struct Sequence {
  std::int64_t length = 0;
  std::vector<float> query, key, value;
};

struct Model {
  AttentionParams params;
  std::int64_t rotary_half = 0;
  std::vector<float> cos, sin, sink;

  std::int64_t query_width() const { return params.num_heads * params.head_dim; }
  std::int64_t kv_width() const { return params.kv_num_heads * params.head_dim; }
};

constexpr std::int64_t kPositions = 400;

Model random_model(Random& random, KvDtype dtype) {
  Model model;
  AttentionParams& p = model.params;
  p.kv_num_heads = random.integer(1, 3);
  p.num_heads = p.kv_num_heads * random.integer(1, 6);
  const std::int64_t dims[] = {1, 5, 8, 16, 20, 33, 64, 80};
  p.head_dim = dims[random.integer(0, 7)];
  p.block_size = 16 * random.integer(1, 5);
  p.dtype = dtype;
  if (random.integer(0, 2) == 0) p.scale = 0.3F;
  if (random.integer(0, 3) == 0) p.softcap = 5.0F;
  if (random.integer(0, 2) == 0) p.local_window_size = random.integer(1, 90);
  p.do_rotary = p.head_dim > 1 && random.integer(0, 3) != 0;
  if (p.do_rotary) {
    model.rotary_half = random.integer(1, p.head_dim / 2);
    p.rotary_interleaved = random.integer(0, 1) == 1;
    for (std::int64_t i = 0; i < kPositions * model.rotary_half; ++i) {
      const float angle = random.normal();
      model.cos.push_back(std::cos(angle));
      model.sin.push_back(std::sin(angle));
    }
  }
  if (random.integer(0, 2) == 0) model.sink = random.normals(p.num_heads);
  return model;
}

Sequence random_sequence(Random& random, const Model& model, std::int64_t length) {
  return {length,
          random.normals(length * model.query_width()),
          random.normals(length * model.kv_width()),
          random.normals(length * model.kv_width())};
}

float rounded(float value, KvDtype dtype) {
  if (dtype == KvDtype::kFloat32) return value;
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
    const auto key = rotated(model, s.key.data() + j * model.kv_width() + kv * d, j);
    double dot = 0;
    for (std::size_t i = 0; i < query.size(); ++i) {
      dot += query[i] * rounded(static_cast<float>(key[i]), p.dtype);
    }
    dot *= scale;
    scores.push_back(p.softcap > 0 ? p.softcap * std::tanh(dot / p.softcap) : dot);
  }
  double sum = model.sink.empty() ? 0.0 : std::exp(double{model.sink[to_size(head)]});
  std::vector<double> out(to_size(d));
  for (std::size_t j = 0; j < scores.size(); ++j) {
    const double weight = std::exp(scores[j]);
    sum += weight;
    const float* value =
        s.value.data() + (begin + static_cast<std::int64_t>(j)) * model.kv_width() + kv * d;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += weight * rounded(value[i], p.dtype);
  }
  for (double& v : out) v /= sum;
  return out;
}

// A cache with its own free blocks, filled with NaN so that reading a stale place shows.
class Cache {
 public:
  Cache(const Model& model, std::int64_t num_blocks, std::uint32_t seed)
      : model_(model),
        num_blocks_(num_blocks),
        bytes_(*block_bytes(model.params.kv_num_heads,
                            model.params.head_dim,
                            model.params.block_size,
                            model.params.dtype)),
        key_(to_size(num_blocks * bytes_), 0xff),
        value_(to_size(num_blocks * bytes_), 0xff),
        free_(to_size(num_blocks)) {
    std::iota(free_.begin(), free_.end(), 0);
    std::shuffle(free_.begin(), free_.end(), std::mt19937(seed));
  }

  std::vector<std::int32_t> take(std::int64_t tokens) {
    std::vector<std::int32_t> blocks;
    for (std::int64_t at = 0; at < tokens; at += model_.params.block_size) {
      blocks.push_back(free_.back());
      free_.pop_back();
    }
    return blocks;
  }

  void bind(AttentionInputs& inputs) {
    inputs.key_cache = key_.data();
    inputs.value_cache = value_.data();
    inputs.num_blocks = num_blocks_;
  }

 private:
  const Model& model_;
  std::int64_t num_blocks_;
  std::int64_t bytes_;
  std::vector<std::uint8_t> key_;
  std::vector<std::uint8_t> value_;
  std::vector<std::int32_t> free_;
};

// What of a sequence a step brings.
struct Slice {
  const Sequence* sequence;
  std::int64_t past;
  std::int64_t count;
  std::vector<std::int32_t> blocks;
};

// A step's tensors, packed or apart.
struct Step {
  std::vector<float> query, key, value;
  std::vector<std::int32_t> cumulative = {0}, past, table;
  AttentionInputs inputs;
};

void append(std::vector<float>& to,
            const std::vector<float>& from,
            std::int64_t row,
            std::int64_t width) {
  to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
}

Step make_step(const Model& model, const std::vector<Slice>& slices, bool packed) {
  Step step;
  std::size_t max_blocks = 1;
  for (const Slice& s : slices) max_blocks = std::max(max_blocks, s.blocks.size());
  for (const Slice& s : slices) {
    for (std::int64_t t = s.past; t < s.past + s.count; ++t) {
      append(step.query, s.sequence->query, t, model.query_width());
      append(packed ? step.query : step.key, s.sequence->key, t, model.kv_width());
      append(packed ? step.query : step.value, s.sequence->value, t, model.kv_width());
    }
    step.cumulative.push_back(step.cumulative.back() + static_cast<std::int32_t>(s.count));
    step.past.push_back(static_cast<std::int32_t>(s.past));
    step.table.insert(step.table.end(), s.blocks.begin(), s.blocks.end());
    step.table.insert(step.table.end(), max_blocks - s.blocks.size(), -1);
  }
  AttentionInputs& in = step.inputs;
  in.num_tokens = step.cumulative.back();
  const std::int64_t stride = model.query_width() + 2 * model.kv_width();
  if (packed) {
    in.query = {step.query.data(), stride};
    in.key = {step.query.data() + model.query_width(), stride};
    in.value = {in.key.data + model.kv_width(), stride};
  } else {
    in.query = {step.query.data(), model.query_width()};
    in.key = {step.key.data(), model.kv_width()};
    in.value = {step.value.data(), model.kv_width()};
  }
  in.cumulative_lengths = step.cumulative;
  in.past_lengths = step.past;
  in.block_table = step.table;
  in.cos = model.cos;
  in.sin = model.sin;
  in.rotary_half = model.rotary_half;
  in.head_sink = model.sink;
  return step;
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
    Cache cache(model, 30, seed);
    return run(model, cache, {{&sequence, 0, sequence.length, cache.take(sequence.length)}});
  }

  Workspace workspace_;
};

KvDtype dtype_of(std::uint32_t seed) {
  return seed % 2 == 0 ? KvDtype::kFloat32 : KvDtype::kBfloat16;
}

TEST_P(AttentionTest, MatchesTheDefinitionInDoublePrecision) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Model model = random_model(random, dtype_of(seed));
    const Sequence sequence = random_sequence(random, model, random.integer(1, 200));
    const std::vector<float> out = alone(model, sequence, seed);
    std::vector<double> want;
    for (std::int64_t t = 0; t < sequence.length; ++t) {
      for (std::int64_t h = 0; h < model.params.num_heads; ++h) {
        const std::vector<double> head = naive_head(model, sequence, t, h);
        want.insert(want.end(), head.begin(), head.end());
      }
    }
    // A rotated key may fall to the other neighbour in bfloat16 than its double-precision twin.
    const double tolerance = model.params.dtype == KvDtype::kFloat32 ? 2e-5 : 2e-2;
    ASSERT_LT(max_difference(out, want), tolerance);
  }
}

TEST_P(AttentionTest, PrefillInOneGoEqualsTokenByTokenAndAnyChunks) {
  for (std::uint32_t seed = 100; seed < 130; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Model model = random_model(random, dtype_of(seed));
    const Sequence sequence = random_sequence(random, model, random.integer(1, 200));
    const std::vector<float> whole = alone(model, sequence, seed);
    for (const std::int64_t longest : {1, 7, 70}) {
      Cache cache(model, 30, seed + 1);
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
    Cache cache(model, 200, seed);
    for (int i = 0; i < 6; ++i) {
      sequences.push_back(random_sequence(random, model, random.integer(1, 150)));
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

INSTANTIATE_TEST_SUITE_P(Isas, AttentionTest, testing::ValuesIn(supported_isas()), isa_test_name);

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
  EXPECT_FALSE(block_bytes(0, 5, 32, KvDtype::kBfloat16));
  EXPECT_FALSE(block_bytes(1, 5, 8, KvDtype::kBfloat16));
}

}  // namespace
}  // namespace quire::kernels
