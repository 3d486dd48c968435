// What the engine relies on in a ModelRunner, held against every backend and kind of graph.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "quire/llm.h"
#include "quire/step_batch.h"

namespace quire {
namespace {

using Ids = std::vector<TokenId>;
using Blocks = std::vector<std::int32_t>;

constexpr int kBlockSize = 16;
// Float32 rounding between two orders of the same sums.
constexpr float kClose = 5e-5F;

// One sequence of a step: tokens `past` to `end` of `ids`, kept in `blocks`.
struct Part {
  const Ids* ids = nullptr;
  int past = 0;
  int end = 0;
  Blocks blocks;
};

class RunnerContract : public testing::TestWithParam<std::pair<std::string, std::string>> {
 protected:
  void SetUp() override {
    const auto& [backend, graph] = GetParam();
    const std::filesystem::path data = std::filesystem::path(QUIRE_TEST_DATA) / "contract";
    auto opened =
        Llm::open(data / graph, {.num_threads = 2, .backend = backend, .num_kv_blocks = 40});
    ASSERT_TRUE(opened) << opened.error().message();
    llm_.emplace(*std::move(opened));
    auto expected = read_json_file(data / "expected.json", 1U << 24U);
    ASSERT_TRUE(expected) << expected.error().message();
    ids_ = (*expected)["ids"].get<Ids>();
    expected_ = (*expected)["logits"].get<std::vector<std::vector<float>>>();
  }

  ModelRunner& runner() { return llm_->runner(); }
  std::size_t vocab() { return static_cast<std::size_t>(runner().spec().vocab_size); }

  // Logits of the last token of each part, all parts in one step.
  std::vector<std::vector<float>> step(const std::vector<Part>& parts) {
    StepBatch batch;
    for (const Part& part : parts) {
      const auto end = static_cast<std::size_t>(part.end);
      batch.add(std::span(*part.ids).first(end), part.past, part.blocks, 1);
    }
    std::vector<float> logits;
    const Status status = runner().run(batch.input(), &logits);
    EXPECT_TRUE(status.ok()) << status.message();
    std::vector<std::vector<float>> result;
    for (std::size_t i = 0; i < parts.size() && status.ok(); ++i) {
      const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(i * vocab());
      result.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(vocab()));
    }
    return result;
  }

  // Paged graphs promise equal bits, the others equal numbers.
  void expect_same(const std::vector<float>& got, const std::vector<float>& wanted) {
    ASSERT_EQ(got.size(), wanted.size());
    if (GetParam().second == "paged") {
      EXPECT_EQ(got, wanted);
      return;
    }
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], kClose) << i;
  }

  int size() const { return static_cast<int>(ids_.size()); }

  std::optional<Llm> llm_;
  Ids ids_;
  std::vector<std::vector<float>> expected_;
};

TEST_P(RunnerContract, SpecSaysWhatThePackageAndTheOptionsSay) {
  EXPECT_EQ(runner().spec().vocab_size, 40);
  EXPECT_EQ(runner().spec().max_seq_len, 100);
  EXPECT_EQ(runner().spec().num_kv_blocks, 40);
  EXPECT_EQ(runner().spec().block_size, kBlockSize);
}

TEST_P(RunnerContract, ForwardGivesTheSourceModelsLogitsAtEveryPosition) {
  const auto logits = runner().forward(ids_);
  ASSERT_TRUE(logits) << logits.error().message();
  ASSERT_EQ(logits->size(), ids_.size() * vocab());
  for (std::size_t row = 0; row < ids_.size(); ++row) {
    for (std::size_t id = 0; id < vocab(); ++id) {
      ASSERT_NEAR((*logits)[row * vocab() + id], expected_[row][id], kClose) << row << " " << id;
    }
  }
}

TEST_P(RunnerContract, ChunksOfAPromptGiveWhatTheWholeGives) {
  const auto whole = step({{&ids_, 0, size(), {3, 1, 7}}});
  for (const int first : {1, 15, 16, 17, 44}) {
    step({{&ids_, 0, first, {9, 20, 4}}});
    const auto rest = step({{&ids_, first, size(), {9, 20, 4}}});
    expect_same(rest.at(0), whole.at(0));
  }
}

TEST_P(RunnerContract, OneTokenAtATimeGivesTheSourceModelsLogits) {
  for (int i = 0; i < size(); ++i) {
    const auto logits = step({{&ids_, i, i + 1, {5, 0, 2}}});
    const auto& wanted = expected_[static_cast<std::size_t>(i)];
    for (std::size_t id = 0; id < vocab(); ++id) ASSERT_NEAR(logits.at(0)[id], wanted[id], kClose);
  }
}

TEST_P(RunnerContract, ASequencesCompanyChangesNothing) {
  const Ids other(ids_.rbegin(), ids_.rend());
  const Ids third(ids_.begin() + 7, ids_.begin() + 12);
  const auto alone = step({{&ids_, 0, size(), {0, 1, 2}}});
  const auto other_alone = step({{&other, 0, 30, {3, 4}}});
  const auto third_alone = step({{&third, 0, 5, {5}}});
  const auto crowd =
      step({{&third, 0, 5, {30}}, {&ids_, 0, size(), {31, 12, 33}}, {&other, 0, 30, {14, 35}}});
  expect_same(crowd.at(0), third_alone.at(0));
  expect_same(crowd.at(1), alone.at(0));
  expect_same(crowd.at(2), other_alone.at(0));
}

TEST_P(RunnerContract, PromptsAndSingleTokensMixInOneStep) {
  const Ids other(ids_.rbegin(), ids_.rend());
  step({{&ids_, 0, 20, {0, 1}}});
  const auto alone = step({{&ids_, 20, 21, {0, 1}}});
  step({{&ids_, 0, 20, {10, 11}}});
  const auto mixed = step({{&other, 0, 25, {12, 13}}, {&ids_, 20, 21, {10, 11}}});
  expect_same(mixed.at(1), alone.at(0));
}

TEST_P(RunnerContract, SequencesShareTheBlocksOfACommonBeginning) {
  Ids branch = ids_;
  for (std::size_t i = 32; i < branch.size(); ++i) branch[i] = (branch[i] + 11) % 40;
  const auto alone = step({{&branch, 0, size(), {20, 21, 22}}});
  step({{&ids_, 0, size(), {0, 1, 2}}});
  const auto shared = step({{&branch, 32, size(), {0, 1, 3}}});
  expect_same(shared.at(0), alone.at(0));
  const auto first_again = step({{&ids_, 44, size(), {0, 1, 2}}});
  const auto first_alone = step({{&ids_, 0, size(), {30, 31, 32}}});
  expect_same(first_again.at(0), first_alone.at(0));
}

TEST_P(RunnerContract, AStepMayBeRunAgainAndBlocksBeUsedAnew) {
  step({{&ids_, 0, 40, {6, 7, 8}}});
  const auto once = step({{&ids_, 40, size(), {6, 7, 8}}});
  const auto again = step({{&ids_, 40, size(), {6, 7, 8}}});
  EXPECT_EQ(once, again);
  const Ids other(ids_.rbegin(), ids_.rend());
  step({{&other, 0, size(), {8, 6, 7}}});
  step({{&ids_, 0, 40, {7, 8, 6}}});
  expect_same(step({{&ids_, 40, size(), {7, 8, 6}}}).at(0), once.at(0));
}

TEST_P(RunnerContract, TheLastPositionOfTheContextIsAPosition) {
  Ids all;
  while (all.size() < 100) all.insert(all.end(), ids_.begin(), ids_.end());
  all.resize(100);
  step({{&all, 0, 99, {0, 1, 2, 3, 4, 5, 6}}});
  const auto logits = step({{&all, 99, 100, {0, 1, 2, 3, 4, 5, 6}}});
  for (const float logit : logits.at(0)) EXPECT_TRUE(std::isfinite(logit));
}

std::vector<std::pair<std::string, std::string>> runners() {
  std::vector<std::pair<std::string, std::string>> list = {{"graph", "paged"}};
  for ([[maybe_unused]] const char* graph : {"paged", "explicit", "none"}) {
#ifdef QUIRE_CONTRACT_ONNX
    list.emplace_back("onnx", graph);
#endif
#ifdef QUIRE_CONTRACT_TORCH
    list.emplace_back("torch", graph);
#endif
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(AllRunners,
                         RunnerContract,
                         testing::ValuesIn(runners()),
                         [](const auto& entry) {
                           return entry.param.first + "_" + entry.param.second;
                         });

}  // namespace
}  // namespace quire
