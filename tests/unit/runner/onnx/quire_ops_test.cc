#include "runner/onnx/quire_ops.h"

#include <gtest/gtest.h>
#include <onnxruntime_cxx_api.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runner/onnx/onnx_library.h"

namespace quire::onnx {
namespace {

const bool kLoaded = load_onnxruntime().ok();

constexpr std::int64_t kNumBlocks = 8;
constexpr std::int64_t kVocab = 50;

const std::string kFolder = std::string(QUIRE_TEST_DATA) + "/quire_ops/";

std::vector<kernels::Isa> supported_isas() {
  std::vector<kernels::Isa> isas;
  for (const auto isa : {kernels::Isa::kPortable, kernels::Isa::kAvx2, kernels::Isa::kAvx512Vnni}) {
    if (kernels::isa_supported(isa)) isas.push_back(isa);
  }
  return isas;
}

// The decoder of tests/data/quire_ops with its caches.
class Decoder {
 public:
  Decoder(kernels::Isa isa, int threads) : ops_({isa, threads, 16, kernels::KvDtype::kFloat32}) {
    std::ifstream file(kFolder + "decoder.json");
    answer_ = nlohmann::json::parse(file);
    block_bytes_ = answer_["block_bytes"];
    key_.assign(static_cast<std::size_t>(kNumBlocks * block_bytes_), 0xff);
    value_ = key_;
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(threads);
    const Status added = ops_.add_to(options);
    EXPECT_TRUE(added.ok()) << added.message();
    session_.emplace(env_, (kFolder + "decoder.onnx").c_str(), options);
    ops_.set_cache_pools({{"key_cache.0", {key_.data(), kNumBlocks}},
                          {"value_cache.0", {value_.data(), kNumBlocks}}});
  }

  QuireOps& ops() { return ops_; }
  std::vector<std::int64_t> ids() const { return answer_["ids"]; }
  std::vector<std::vector<float>> want() const { return answer_["logits"]; }
  std::vector<std::uint8_t>& key_cache() { return key_; }

  // Logits of ids[past], ... ids[past + count - 1], which lie in blocks 5, 2 and 7.
  std::vector<float> run(std::int32_t past, std::int32_t count) {
    const std::vector<std::int64_t> all = ids();
    std::vector<std::int64_t> tokens(all.begin() + past, all.begin() + past + count);
    std::vector<std::int64_t> rows(tokens.size());
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
    std::vector<std::int32_t> cumulative = {0, count};
    std::vector<std::int32_t> pasts = {past};
    const auto length = static_cast<std::int64_t>(count);
    std::vector<Ort::Value> inputs;
    inputs.push_back(value(tokens, {length}));
    inputs.push_back(value(cumulative, {2}));
    inputs.push_back(value(pasts, {1}));
    inputs.push_back(value(table_, {1, static_cast<std::int64_t>(table_.size())}));
    inputs.push_back(value(rows, {length}));
    inputs.push_back(value(key_, {kNumBlocks, block_bytes_}));
    inputs.push_back(value(value_, {kNumBlocks, block_bytes_}));
    const char* names[] = {"input_ids",
                           "cumulative_sequence_lengths",
                           "past_sequence_lengths",
                           "block_table",
                           "logits_indices",
                           "key_cache.0",
                           "value_cache.0"};
    const char* outputs[] = {"logits"};
    const auto result = session_->Run({}, names, inputs.data(), inputs.size(), outputs, 1);
    EXPECT_EQ(result[0].GetTensorTypeAndShapeInfo().GetShape(),
              (std::vector<std::int64_t>{length, kVocab}));
    const float* logits = result[0].GetTensorData<float>();
    return {logits, logits + length * kVocab};
  }

  std::vector<std::int32_t>& table() { return table_; }

 private:
  template <typename T>
  Ort::Value value(std::vector<T>& data, const std::vector<std::int64_t>& shape) {
    return Ort::Value::CreateTensor<T>(
        memory_, data.data(), data.size(), shape.data(), shape.size());
  }

  Ort::Env env_{ORT_LOGGING_LEVEL_FATAL, "test"};
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  QuireOps ops_;
  nlohmann::json answer_;
  std::int64_t block_bytes_ = 0;
  std::vector<std::uint8_t> key_, value_;
  std::vector<std::int32_t> table_ = {5, 2, 7};
  std::optional<Ort::Session> session_;
};

// The message a run fails with; empty when it does not.
std::string run_error(Decoder& decoder) {
  try {
    decoder.run(0, 20);
  } catch (const Ort::Exception& e) {
    return e.what();
  }
  return "";
}

class QuireOpsTest : public testing::TestWithParam<kernels::Isa> {};

TEST_P(QuireOpsTest, TheDecoderAnswersAsItsNumpyModel) {
  Decoder decoder(GetParam(), 2);
  const std::vector<float> logits = decoder.run(0, 40);
  const auto want = decoder.want();
  double most = 0;
  for (std::size_t t = 0; t < want.size(); ++t) {
    for (std::size_t i = 0; i < want[t].size(); ++i) {
      most = std::max(most, std::abs(double{logits[t * kVocab + i]} - double{want[t][i]}));
    }
  }
  // An activation beside a rounding edge may fall to the other side here: one step of 16 bits.
  EXPECT_LT(most, 1e-4);
}

TEST_P(QuireOpsTest, ChunksAndThreadsChangeNoBit) {
  Decoder whole(GetParam(), 1);
  const std::vector<float> want = whole.run(0, 40);
  for (const std::int32_t chunk : {1, 7, 33}) {
    Decoder decoder(GetParam(), 2);
    std::vector<float> logits;
    for (std::int32_t past = 0; past < 40; past += chunk) {
      const std::vector<float> part = decoder.run(past, std::min(chunk, 40 - past));
      logits.insert(logits.end(), part.begin(), part.end());
    }
    ASSERT_EQ(logits.size(), want.size());
    EXPECT_EQ(std::memcmp(logits.data(), want.data(), want.size() * sizeof(float)), 0) << chunk;
  }
}

TEST_P(QuireOpsTest, TheRowWiseOperatorsAnswerAsTheirNumpyModel) {
  std::ifstream file(kFolder + "rows.json");
  const nlohmann::json answer = nlohmann::json::parse(file);
  const std::vector<std::vector<float>> rows = answer["x"];
  const std::vector<std::vector<double>> want = answer["y"];
  QuireOps ops({.isa = GetParam(), .num_threads = 2});
  Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "test");
  Ort::SessionOptions options;
  ASSERT_TRUE(ops.add_to(options).ok());
  Ort::Session session(env, (kFolder + "rows.onnx").c_str(), options);
  std::vector<float> x;
  for (const auto& row : rows) x.insert(x.end(), row.begin(), row.end());
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(rows.size()),
                                           static_cast<std::int64_t>(rows[0].size())};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const Ort::Value input =
      Ort::Value::CreateTensor<float>(memory, x.data(), x.size(), shape.data(), shape.size());
  const char* names[] = {"x", "y"};
  const auto result = session.Run({}, names, &input, 1, names + 1, 1);
  const std::size_t width = rows[0].size() / 2;
  ASSERT_EQ(result[0].GetTensorTypeAndShapeInfo().GetElementCount(), rows.size() * width);
  const float* y = result[0].GetTensorData<float>();
  for (std::size_t t = 0; t < want.size(); ++t) {
    for (std::size_t i = 0; i < width; ++i) EXPECT_NEAR(y[t * width + i], want[t][i], 2e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas,
                         QuireOpsTest,
                         testing::ValuesIn(supported_isas()),
                         [](const testing::TestParamInfo<kernels::Isa>& isa) {
                           return std::string(kernels::isa_name(isa.param));
                         });

TEST(QuireOpsCacheTest, ACacheThatIsNotTheRunnersIsRefused) {
  Decoder decoder(kernels::Isa::kPortable, 1);
  EXPECT_EQ(run_error(decoder), "");
  std::vector<std::uint8_t> copy = decoder.key_cache();
  decoder.ops().set_cache_pools(
      {{"key_cache.0", {copy.data(), kNumBlocks}}, {"value_cache.0", {copy.data(), kNumBlocks}}});
  EXPECT_NE(run_error(decoder).find("key_cache.0 is not where the runner put it"),
            std::string::npos);
  decoder.ops().set_cache_pools({});
  EXPECT_NE(run_error(decoder).find("key_cache.0 is no cache of this runner's"), std::string::npos);
}

TEST(QuireOpsCacheTest, ABlockOutsideTheCacheIsAnErrorAndNotAWrite) {
  Decoder decoder(kernels::Isa::kPortable, 1);
  decoder.table()[1] = kNumBlocks;
  EXPECT_NE(run_error(decoder).find("block 8 is not in 0 ... 7"), std::string::npos);
  EXPECT_EQ(decoder.key_cache(), std::vector<std::uint8_t>(decoder.key_cache().size(), 0xff));
}

TEST(QuireOpsWeightsTest, PackedWeightsAreCountedWhileTheSessionLives) {
  std::optional<Decoder> decoder(std::in_place, kernels::Isa::kPortable, 1);
  EXPECT_GT(decoder->ops().weight_bytes(), 10'000);
}

// A damaged graph, and words of the error it must give when it is opened.
struct BadGraph {
  const char* name;
  const char* words;
};

class BadGraphTest : public testing::TestWithParam<BadGraph> {};

TEST_P(BadGraphTest, IsRefusedWhenOpenedWithItsCause) {
  QuireOps ops({});
  Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "test");
  Ort::SessionOptions options;
  ASSERT_TRUE(ops.add_to(options).ok());
  const std::string path = kFolder + "bad_" + GetParam().name + ".onnx";
  try {
    const Ort::Session session(env, path.c_str(), options);
    FAIL() << "opened";
  } catch (const Ort::Exception& e) {
    EXPECT_NE(std::string(e.what()).find(GetParam().words), std::string::npos) << e.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    BadGraphTest,
    testing::Values(BadGraph{"n", "weight (in bytes) has"},
                    BadGraph{"k", "weight (in bytes) has"},
                    BadGraph{"huge_k", "K and N must be 1 to 2^28"},
                    BadGraph{"bits", "bits must be 4, 8, 16 or 32, not 5"},
                    BadGraph{"block", "block_size must be 32, not 64"},
                    BadGraph{"activation_bits", "activation_bits must be 8 or 16, not 12"},
                    BadGraph{"float_activation_bits", "activation_bits must be an integer"},
                    BadGraph{"float_k", "attribute K is missing or not an integer"},
                    BadGraph{"no_k", "attribute K is missing or not an integer"},
                    BadGraph{"type", "gate_up has element type"},
                    BadGraph{"scale_type", "gate_up.scale"},
                    BadGraph{"scale_size", "scale has 48 elements"},
                    BadGraph{"input", "must be an initializer"},
                    BadGraph{"kind", "kind \"swish9\" is none of silu, gelu"},
                    BadGraph{"no_kind", "attribute kind is missing or not a string"},
                    BadGraph{"int_kind", "attribute kind is missing or not a string"},
                    BadGraph{"cap", "cap must be a positive number"},
                    BadGraph{"no_cap", "cap must be a positive number"}),
    [](const testing::TestParamInfo<BadGraph>& bad) { return std::string(bad.param.name); });

}  // namespace
}  // namespace quire::onnx
