#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "grammar/constraint.h"
#include "support/byte_tokenizer.h"
#include "support/fake_runner.h"
#include "support/script_runner.h"

namespace quire {
namespace {

constexpr ModelSpec kSpec = {.vocab_size = ByteTokenizer::kVocabSize,
                             .max_seq_len = 64,
                             .num_kv_blocks = 64,
                             .block_size = 4};

// Thoughts stand between braces.
class ThinkingTokenizer : public ByteTokenizer {
 public:
  std::optional<TokenId> id_of(std::string_view token) const override {
    if (token == "<think>") return '{';
    if (token == "</think>") return '}';
    return std::nullopt;
  }
};

Engine engine_of(std::unique_ptr<ModelRunner> runner,
                 const Tokenizer& tokenizer,
                 const EngineOptions& options = {}) {
  return Engine({.runner = std::move(runner), .tokenizer = &tokenizer, .eos_ids = {'.'}}, options);
}

std::string text_of(std::span<const TokenId> ids) {
  std::string text;
  for (const TokenId id : ids) text += static_cast<char>(id);
  return text;
}

std::vector<RequestOutput> run_all(Engine* engine) {
  std::vector<RequestOutput> outputs;
  while (engine->has_unfinished()) {
    for (RequestOutput& output : engine->step().finished) outputs.push_back(std::move(output));
  }
  std::ranges::sort(outputs, {}, &RequestOutput::request_id);
  return outputs;
}

std::string answer(std::string script, char prompt, std::optional<int> budget) {
  const ThinkingTokenizer tokenizer;
  Engine engine = engine_of(std::make_unique<ScriptRunner>(kSpec, std::move(script)), tokenizer);
  SamplingParams params;
  params.max_reasoning_tokens = budget;
  EXPECT_TRUE(engine.submit({.prompt_ids = {prompt}, .params = params}));
  return text_of(run_all(&engine).at(0).outputs.at(0).token_ids);
}

TEST(ReasoningBudgetTest, ThoughtsEndWhenTheirTokensAreUsedUp) {
  EXPECT_EQ(answer("{abcdefg.", '?', std::nullopt), "{abcdefg.");
  EXPECT_EQ(answer("{abcdefg.", '?', 3), "{abc}efg.");
  EXPECT_EQ(answer("{ab}efg.", '?', 3), "{ab}efg.");  // they end of themselves
  EXPECT_EQ(answer("{abc}fg.", '?', 3), "{abc}fg.");  // just in time
  EXPECT_EQ(answer("{abcdefg.", '?', 0), "{}bcdefg.");
  EXPECT_EQ(answer("abc.", '?', 0), "abc.");              // no thoughts at all
  EXPECT_EQ(answer("{ab}{cd}x.", '?', 3), "{ab}{c}}x.");  // all blocks together
}

TEST(ReasoningBudgetTest, ThoughtsThatThePromptHasBegunCount) {
  EXPECT_EQ(answer("abcdefg.", '{', 2), "ab}defg.");
  EXPECT_EQ(answer("abcdefg.", '{', 0), "}bcdefg.");
  EXPECT_EQ(answer("abcdefg.", '}', 0), "abcdefg.");
}

// The crowd's own tokens, its preemptions and its shared blocks change nothing.
TEST(ReasoningBudgetTest, TheAnswerIsTheSameAloneAndInACrowd) {
  const ThinkingTokenizer tokenizer;
  std::vector<Request> requests;
  for (int i = 0; i < 12; ++i) {
    SamplingParams params;
    params.max_tokens = 12;
    params.temperature = i % 2 == 0 ? 0 : 1;
    params.seed = static_cast<std::uint64_t>(i);
    params.ignore_eos = true;
    params.n = i % 3 == 0 ? 2 : 1;
    if (i % 4 != 3) params.max_reasoning_tokens = i % 5;
    requests.push_back({.prompt_ids = {'h', 'i', static_cast<TokenId>('a' + i), '{'},
                        .params = std::move(params)});
  }
  Engine crowd = engine_of(
      std::make_unique<FakeRunner>(kSpec), tokenizer, {.max_num_seqs = 9, .max_batch_tokens = 16});
  for (const Request& request : requests) ASSERT_TRUE(crowd.submit(request));
  const std::vector<RequestOutput> together = run_all(&crowd);
  ASSERT_EQ(together.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Engine alone = engine_of(std::make_unique<FakeRunner>(kSpec), tokenizer);
    ASSERT_TRUE(alone.submit(requests[i]));
    const RequestOutput output = run_all(&alone).at(0);
    for (std::size_t sample = 0; sample < output.outputs.size(); ++sample) {
      const std::vector<TokenId>& ids = output.outputs[sample].token_ids;
      EXPECT_EQ(together[i].outputs[sample].token_ids, ids) << i;
      if (requests[i].params.max_reasoning_tokens) {
        const auto budget = static_cast<std::size_t>(*requests[i].params.max_reasoning_tokens);
        EXPECT_LE(text_of(ids).find('}'), budget) << i;
      }
    }
  }
}

// Thoughts come before the answer, and no format of the answer holds for them.
TEST(ReasoningBudgetTest, AConstraintBeginsBehindTheThoughts) {
  std::vector<std::string> bytes;
  for (int byte = 0; byte < ByteTokenizer::kVocabSize; ++byte) {
    const bool marker = byte == '{' || byte == '}' || byte == '.';
    bytes.push_back(marker ? "" : std::string(1, static_cast<char>(byte)));
  }
  const auto vocabulary = std::make_shared<const grammar::Vocabulary>(
      bytes, std::vector<std::string>(), ByteTokenizer::kVocabSize);
  const auto constraint =
      grammar::compile_constraint(StructuredOutput::choice({"yes", "no"}), vocabulary);
  ASSERT_TRUE(constraint) << constraint.error().message();
  const auto held_answer = [&](std::string script, char prompt, std::optional<int> budget) {
    const ThinkingTokenizer tokenizer;
    Engine engine = engine_of(std::make_unique<ScriptRunner>(kSpec, std::move(script)), tokenizer);
    SamplingParams params;
    params.max_reasoning_tokens = budget;
    EXPECT_TRUE(
        engine.submit({.prompt_ids = {prompt}, .params = params, .constraint = *constraint}));
    return text_of(run_all(&engine).at(0).outputs.at(0).token_ids);
  };
  EXPECT_EQ(held_answer("no idea..", '?', std::nullopt), "no");
  EXPECT_EQ(held_answer("hm}no idea..", '{', std::nullopt), "hm}no");
  EXPECT_EQ(held_answer("hm-no idea..", '{', 2), "hm}no");  // the marker in place of what comes
}

TEST(ReasoningBudgetTest, ANegativeBudgetIsRefused) {
  SamplingParams params;
  params.max_reasoning_tokens = -1;
  const Status status = validate(params, 10);
  EXPECT_NE(status.message().find("max_reasoning_tokens"), std::string::npos);
}

}  // namespace
}  // namespace quire
