#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "support/byte_tokenizer.h"
#include "support/script_runner.h"

namespace quire {
namespace {

constexpr ModelSpec kSpec = {.vocab_size = ByteTokenizer::kVocabSize,
                             .max_seq_len = 512,
                             .num_kv_blocks = 64,
                             .block_size = 16};

class SpeculationTest : public testing::Test {
 protected:
  Engine engine_that_says(std::string script, int speculate) {
    return Engine({.runner = std::make_unique<ScriptRunner>(kSpec, std::move(script)),
                   .tokenizer = &tokenizer_,
                   .eos_ids = {'.'},
                   .clock_ms = [] { return 0.0; }},
                  {.speculate = speculate});
  }

  RequestOutput answer(Engine& engine, SamplingParams params, std::string* streamed = nullptr) {
    EXPECT_TRUE(engine.submit({.prompt_ids = {'?'}, .params = std::move(params)}));
    RequestOutput finished;
    while (engine.has_unfinished()) {
      StepOutput output = engine.step();
      for (const TextDelta& delta : output.deltas) {
        if (streamed != nullptr) *streamed += delta.text;
      }
      if (!output.finished.empty()) finished = std::move(output.finished.front());
    }
    return finished;
  }

  ByteTokenizer tokenizer_;
};

TEST_F(SpeculationTest, TheAnswerIsTheSameInFewerSteps) {
  const std::string script = "one two three, one two three, one two three, one two three.";
  Engine plain = engine_that_says(script, 0);
  Engine guessing = engine_that_says(script, 8);
  std::string streamed;
  const RequestOutput expected = answer(plain, {});
  const RequestOutput output = answer(guessing, {}, &streamed);
  EXPECT_EQ(output.outputs[0].token_ids, expected.outputs[0].token_ids);
  EXPECT_EQ(streamed, script.substr(0, script.size() - 1));
  EXPECT_EQ(output.outputs[0].finish_reason, FinishReason::kStop);
  EXPECT_LT(guessing.stats().num_steps, plain.stats().num_steps * 2 / 3);
  EXPECT_EQ(guessing.stats().num_generated_tokens, plain.stats().num_generated_tokens);
  EXPECT_EQ(guessing.stats().num_generated_tokens,
            guessing.stats().num_steps + guessing.stats().num_accepted_tokens);
  EXPECT_EQ(guessing.stats().num_used_blocks, 0);
}

TEST_F(SpeculationTest, AnEndInTheMiddleOfAGuessEndsTheAnswerThere) {
  for (const int max_tokens : {1, 2, 11, 12, 13, 14, 15, 16, 17, 30}) {
    Engine engine = engine_that_says("abcabc", 8);
    const RequestOutput output = answer(engine, {.max_tokens = max_tokens});
    EXPECT_EQ(static_cast<int>(output.outputs[0].token_ids.size()), max_tokens);
    EXPECT_EQ(output.outputs[0].finish_reason, FinishReason::kLength);
  }
  Engine plain = engine_that_says("abcabcabcabcabcabcxx", 0);
  Engine guessing = engine_that_says("abcabcabcabcabcabcxx", 8);
  const SamplingParams params = {.min_tokens = 9, .stop = {"cab"}};
  const RequestOutput expected = answer(plain, params);
  const RequestOutput output = answer(guessing, params);
  EXPECT_EQ(output.outputs[0].text, expected.outputs[0].text);
  EXPECT_EQ(output.outputs[0].token_ids, expected.outputs[0].token_ids);
  EXPECT_EQ(output.outputs[0].finish_reason, FinishReason::kStop);
}

TEST_F(SpeculationTest, EveryTokenHasItsOwnLogprob) {
  const std::string script = "go go go go go go go go go go.";
  Engine plain = engine_that_says(script, 0);
  Engine guessing = engine_that_says(script, 4);
  const RequestOutput expected = answer(plain, {.logprobs = 2});
  const RequestOutput output = answer(guessing, {.logprobs = 2});
  ASSERT_GT(guessing.stats().num_accepted_tokens, 0);
  ASSERT_EQ(output.outputs[0].logprobs.size(), expected.outputs[0].logprobs.size());
  for (std::size_t i = 0; i < expected.outputs[0].logprobs.size(); ++i) {
    EXPECT_EQ(output.outputs[0].logprobs[i].token, expected.outputs[0].logprobs[i].token);
    EXPECT_EQ(output.outputs[0].logprobs[i].logprob, expected.outputs[0].logprobs[i].logprob);
  }
}

}  // namespace
}  // namespace quire
