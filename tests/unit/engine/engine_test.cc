#include "engine/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "support/byte_tokenizer.h"
#include "support/fake_runner.h"
#include "support/script_runner.h"

namespace quire {
namespace {

constexpr ModelSpec kSpec = {.vocab_size = ByteTokenizer::kVocabSize,
                             .max_seq_len = 64,
                             .num_kv_blocks = 16,
                             .block_size = 4};

class EngineTest : public testing::Test {
 protected:
  Engine script_engine(std::string script, std::vector<TokenId> eos = {}) {
    auto runner = std::make_unique<ScriptRunner>(kSpec, std::move(script));
    script_runner_ = runner.get();
    return make_engine(std::move(runner), std::move(eos));
  }

  Engine fake_engine(const EngineOptions& options = {}) {
    auto runner = std::make_unique<FakeRunner>(kSpec);
    fake_runner_ = runner.get();
    return make_engine(std::move(runner), {}, options);
  }

  static RequestOutput finish(Engine& engine, std::string* streamed = nullptr) {
    while (engine.has_unfinished()) {
      StepOutput output = engine.step();
      for (const TextDelta& delta : output.deltas) {
        if (streamed != nullptr) *streamed += delta.text;
      }
      if (!output.finished.empty()) return std::move(output.finished.front());
    }
    ADD_FAILURE() << "nothing finished";
    return {};
  }

  ScriptRunner* script_runner_ = nullptr;
  FakeRunner* fake_runner_ = nullptr;
  double now_ms_ = 0;

 private:
  Engine make_engine(std::unique_ptr<ModelRunner> runner,
                     std::vector<TokenId> eos,
                     const EngineOptions& options = {}) {
    return Engine({.runner = std::move(runner),
                   .tokenizer = &tokenizer_,
                   .eos_ids = std::move(eos),
                   .clock_ms = [this] { return now_ms_; }},
                  options);
  }

  ByteTokenizer tokenizer_;
};

Request one_token_prompt(SamplingParams params) {
  return {.prompt_ids = {'?'}, .params = std::move(params)};
}

TEST_F(EngineTest, TextEndsBeforeTheEndOfSequenceIdWhichStaysInTheIds) {
  Engine engine = script_engine("ab.", {'.'});
  ASSERT_TRUE(engine.submit(one_token_prompt({})));
  const RequestOutput output = finish(engine);
  EXPECT_EQ(output.outputs[0].text, "ab");
  EXPECT_EQ(output.outputs[0].token_ids, (std::vector<TokenId>{'a', 'b', '.'}));
  EXPECT_EQ(output.outputs[0].finish_reason, FinishReason::kStop);
}

TEST_F(EngineTest, IgnoringTheEndOfSequenceGoesOnToTheLimit) {
  Engine engine = script_engine("ab.", {'.'});
  ASSERT_TRUE(engine.submit(one_token_prompt({.max_tokens = 6, .ignore_eos = true})));
  const RequestOutput output = finish(engine);
  EXPECT_EQ(output.outputs[0].text, "ab.ab.");
  EXPECT_EQ(output.outputs[0].finish_reason, FinishReason::kLength);
}

TEST_F(EngineTest, AStopStringIsCutOffAndNoPartOfItIsEverStreamed) {
  Engine engine = script_engine("one STOP two");
  std::string streamed;
  ASSERT_TRUE(engine.submit(one_token_prompt({.stop = {"STOP", "never"}})));
  const RequestOutput output = finish(engine, &streamed);
  EXPECT_EQ(output.outputs[0].text, "one ");
  EXPECT_EQ(streamed, "one ");
  EXPECT_EQ(output.outputs[0].finish_reason, FinishReason::kStop);
}

TEST_F(EngineTest, WhatOnlyBeginsLikeAStopStringIsStreamedAfterAll) {
  Engine engine = script_engine("a STO b");
  std::string streamed;
  ASSERT_TRUE(engine.submit(one_token_prompt({.max_tokens = 7, .stop = {"STOP"}})));
  EXPECT_EQ(finish(engine, &streamed).outputs[0].text, "a STO b");
  EXPECT_EQ(streamed, "a STO b");
}

TEST_F(EngineTest, AStopStringMayBeKept) {
  Engine engine = script_engine("one STOP two");
  ASSERT_TRUE(
      engine.submit(one_token_prompt({.stop = {"STOP"}, .include_stop_str_in_output = true})));
  EXPECT_EQ(finish(engine).outputs[0].text, "one STOP");
}

TEST_F(EngineTest, AStopStringBeforeTheMinimumDoesNotEndTheText) {
  Engine engine = script_engine("xyxyxyxy");
  ASSERT_TRUE(engine.submit(one_token_prompt({.min_tokens = 4, .stop = {"xy"}})));
  EXPECT_EQ(finish(engine).outputs[0].text, "xyxy");
}

TEST_F(EngineTest, ACharacterSplitOverTokensIsStreamedWhole) {
  Engine engine = script_engine("\xF0\x9F\x98\x80!");
  ASSERT_TRUE(engine.submit(one_token_prompt({.max_tokens = 5})));
  while (engine.has_unfinished()) {
    for (const TextDelta& delta : engine.step().deltas) {
      EXPECT_TRUE(delta.text.empty() || delta.text == "\xF0\x9F\x98\x80" || delta.text == "!")
          << delta.text;
    }
  }
}

TEST_F(EngineTest, MaxTokensIsClampedToTheContext) {
  Engine engine = fake_engine();
  ASSERT_TRUE(engine.submit({.prompt_ids = std::vector<TokenId>(60, 1),
                             .params = {.max_tokens = 1000, .ignore_eos = true}}));
  EXPECT_EQ(finish(engine).outputs[0].token_ids.size(), 4U);
}

TEST_F(EngineTest, ImpossibleRequestsAreRefusedAtOnceWithTheReason) {
  Engine engine = fake_engine();
  const std::vector<std::pair<Request, std::string>> cases = {
      {{.prompt_ids = {}}, "empty"},
      {{.prompt_ids = std::vector<TokenId>(64, 1)}, "context of 64"},
      {{.prompt_ids = {ByteTokenizer::kVocabSize}}, "token id"},
      {{.prompt_ids = {-1}}, "token id"},
      {{.prompt_ids = {1}, .params = {.temperature = -1}}, "temperature"},
  };
  for (const auto& [request, reason] : cases) {
    const auto id = engine.submit(request);
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(id.error().message().find(reason), std::string::npos) << id.error().message();
  }
  EXPECT_FALSE(engine.has_unfinished());
}

TEST_F(EngineTest, ARequestLargerThanTheWholeCacheIsRefusedAtOnce) {
  Engine engine({.runner = std::make_unique<FakeRunner>(ModelSpec{
                     .vocab_size = 9, .max_seq_len = 1000, .num_kv_blocks = 4, .block_size = 4})},
                {});
  EXPECT_TRUE(engine.submit({.prompt_ids = {1}, .params = {.max_tokens = 16}}));
  const auto refused = engine.submit({.prompt_ids = {1}, .params = {.max_tokens = 17}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("raise option num_kv_blocks"), std::string::npos);
}

TEST_F(EngineTest, ACancelledRequestEndsWithWhatItHasAndGivesItsBlocksBack) {
  Engine engine = fake_engine();
  const auto id = engine.submit({.prompt_ids = {1, 2, 3}, .params = {.ignore_eos = true}});
  ASSERT_TRUE(id);
  engine.step();
  engine.step();
  EXPECT_TRUE(engine.cancel(*id));
  EXPECT_FALSE(engine.cancel(*id));
  EXPECT_TRUE(engine.has_unfinished()) << "its end is still to be handed over";
  const StepOutput output = engine.step();
  EXPECT_FALSE(engine.has_unfinished());
  ASSERT_EQ(output.finished.size(), 1U);
  EXPECT_EQ(output.finished[0].outputs[0].finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(output.finished[0].outputs[0].token_ids.size(), 2U);
  EXPECT_EQ(engine.stats().num_used_blocks, 0);
}

TEST_F(EngineTest, ARequestPastItsTimeLimitFailsAndOthersGoOn) {
  Engine engine = fake_engine();
  ASSERT_TRUE(engine.submit({.prompt_ids = {1}, .params = {.ignore_eos = true}, .timeout_ms = 50}));
  ASSERT_TRUE(engine.submit({.prompt_ids = {2}, .params = {.max_tokens = 3, .ignore_eos = true}}));
  engine.step();
  now_ms_ = 51;
  const StepOutput output = engine.step();
  ASSERT_EQ(output.finished.size(), 1U);
  EXPECT_EQ(output.finished[0].error.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(finish(engine).error.ok());
}

TEST_F(EngineTest, NanLogitsFailTheirRequestAndTheEngineGoesOn) {
  Engine engine = script_engine("abc");
  ASSERT_TRUE(engine.submit(one_token_prompt({})));
  engine.step();
  script_runner_->poison();
  const RequestOutput output = finish(engine);
  EXPECT_EQ(output.error.code(), StatusCode::kInternal);
  EXPECT_EQ(engine.stats().num_used_blocks, 0);
}

// Every run that holds the token 13 fails; the others must not notice.
TEST_F(EngineTest, AFailingRunLosesOnlyTheSequencesThatFailAlone) {
  Engine engine = fake_engine();
  fake_runner_->set_fault([](const ModelInput& input) {
    for (const TokenId id : input.token_ids) {
      if (id == 13) return internal_error("unlucky");
    }
    return ok_status();
  });
  const auto healthy = engine.submit({.prompt_ids = {1, 2}, .params = {.max_tokens = 1}});
  const auto unlucky = engine.submit({.prompt_ids = {13}, .params = {.max_tokens = 1}});
  ASSERT_TRUE(healthy && unlucky);
  const StepOutput output = engine.step();
  ASSERT_EQ(output.finished.size(), 2U);
  for (const RequestOutput& finished : output.finished) {
    EXPECT_EQ(finished.error.ok(), finished.request_id == *healthy);
  }
}

TEST_F(EngineTest, SamplesOfOnePromptShareItsFullBlocks) {
  Engine engine = fake_engine();
  std::vector<TokenId> prompt(13);
  std::iota(prompt.begin(), prompt.end(), 0);
  ASSERT_TRUE(engine.submit(
      {.prompt_ids = prompt, .params = {.n = 3, .max_tokens = 4, .temperature = 1, .seed = 1}}));
  engine.step();  // sample 0: 13 tokens in 4 blocks
  engine.step();  // samples 1 and 2: 3 shared blocks and one of their own
  EXPECT_EQ(engine.stats().num_used_blocks, 4 + 2);
}

TEST_F(EngineTest, TimingsSayWhenTheFirstTokenCame) {
  Engine engine = fake_engine();
  ASSERT_TRUE(engine.submit({.prompt_ids = {1}, .params = {.max_tokens = 2, .ignore_eos = true}}));
  now_ms_ = 10;
  engine.step();
  now_ms_ = 30;
  const RequestOutput output = finish(engine);
  EXPECT_EQ(output.timings.queued_ms, 10);
  EXPECT_EQ(output.timings.first_token_ms, 10);
  EXPECT_EQ(output.timings.total_ms, 30);
}

}  // namespace
}  // namespace quire
