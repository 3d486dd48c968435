#include "quire/llm.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/byte_tokenizer.h"
#include "support/fake_runner.h"

namespace quire {
namespace {

constexpr ModelSpec kSpec{
    .vocab_size = 256, .max_seq_len = 64, .num_kv_blocks = 40, .block_size = 4};

Llm make_llm() {
  return Llm({.block_size = 4},
             std::make_unique<FakeRunner>(kSpec),
             std::make_unique<ByteTokenizer>(),
             /*eos_ids=*/{});
}

TEST(LlmTest, AnEncoderGivesEightThreadsWhatItGivesOne) {
  const Llm llm = make_llm();
  const PromptEncoder encoder = llm.encoder();
  const GenerateRequest request = {.prompt = std::string("the same text for all")};
  const auto alone = encoder.encode(request);
  ASSERT_TRUE(alone) << alone.error().message();
  std::vector<std::vector<TokenId>> found(8);
  std::vector<std::thread> threads;
  for (std::vector<TokenId>& ids : found) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) ids = *encoder.encode(request);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<TokenId>& ids : found) EXPECT_EQ(ids, *alone);
}

TEST(LlmTest, AnEncoderOutlivesTheModelItCameFrom) {
  std::vector<TokenId> wanted;
  PromptEncoder encoder = [&wanted] {
    const Llm llm = make_llm();
    wanted = *llm.tokenize(Prompt(std::string("text")));
    return llm.encoder();
  }();
  EXPECT_EQ(*encoder.encode({.prompt = std::string("text")}), wanted);
}

TEST(LlmTest, DeltasHaveTheLogprobsOfTheirTokens) {
  Llm llm = make_llm();
  std::vector<TokenLogprobs> streamed;
  std::vector<TokenId> ids;
  const RequestOutput output = llm.stream(
      std::string("go on"), {.max_tokens = 9, .logprobs = 2}, [&](const TextDelta& delta) {
        EXPECT_EQ(delta.logprobs.size(), delta.token_ids.size());
        streamed.insert(streamed.end(), delta.logprobs.begin(), delta.logprobs.end());
        ids.insert(ids.end(), delta.token_ids.begin(), delta.token_ids.end());
      });
  ASSERT_EQ(output.outputs.size(), 1U) << output.error.message();
  const CompletionOutput& sample = output.outputs[0];
  EXPECT_EQ(ids, sample.token_ids);
  ASSERT_EQ(streamed.size(), sample.logprobs.size());
  for (std::size_t i = 0; i < streamed.size(); ++i) {
    EXPECT_EQ(streamed[i].token, ids[i]);
    EXPECT_EQ(streamed[i].logprob, sample.logprobs[i].logprob);
  }
}

TEST(LlmTest, DeltasWithoutLogprobsHaveNone) {
  Llm llm = make_llm();
  llm.stream(std::string("go on"), {.max_tokens = 3}, [](const TextDelta& delta) {
    EXPECT_TRUE(delta.logprobs.empty());
  });
}

TEST(LlmTest, GenerateLeavesTheOutputsOfRequestsBeforeItToTheNextStep) {
  Llm llm = make_llm();
  const auto early = llm.submit({.prompt = std::string("early"), .params = {.max_tokens = 2}});
  ASSERT_TRUE(early);
  const std::vector<Prompt> prompts = {std::string("late")};
  const auto late = llm.generate(prompts, {.max_tokens = 12});
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late[0].outputs.size(), 1U);
  std::vector<TokenId> ids;
  int num_finished = 0;
  ASSERT_TRUE(llm.has_unfinished());
  while (llm.has_unfinished()) {
    const StepOutput output = llm.step();
    for (const TextDelta& delta : output.deltas) {
      EXPECT_EQ(delta.request_id, *early);
      ids.insert(ids.end(), delta.token_ids.begin(), delta.token_ids.end());
    }
    for (const RequestOutput& finished : output.finished) {
      EXPECT_EQ(finished.request_id, *early);
      EXPECT_EQ(finished.outputs[0].token_ids, ids);
      ++num_finished;
    }
  }
  EXPECT_EQ(num_finished, 1);
}

TEST(LlmTest, ARequestPastItsTimeFailsAloneAsDeadlineExceeded) {
  Llm llm = make_llm();
  const std::vector<GenerateRequest> requests = {
      {.prompt = std::string("late"), .params = {.max_tokens = 40}, .timeout_ms = 1e-6},
      {.prompt = std::string("fine"), .params = {.max_tokens = 4}}};
  const auto outputs = llm.generate(requests);
  EXPECT_EQ(outputs[0].error.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(outputs[1].error.ok()) << outputs[1].error.message();
  EXPECT_EQ(outputs[1].outputs[0].token_ids.size(), 4U);
}

TEST(LlmTest, TemplateOptionsOfATextAreRefused) {
  const Llm llm = make_llm();
  const auto ids = llm.tokenize(GenerateRequest{.prompt = std::string("x"), .tools_json = "[]"});
  EXPECT_EQ(ids.error().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quire
