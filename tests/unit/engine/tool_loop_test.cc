// Replays what nanochat's own engine did, with the model's choices scripted: its conversations that
// call the calculator, and cases made for its state machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calculator/calculator.h"
#include "engine/engine.h"
#include "tokenizer/tokenizer_json.h"

namespace quire {
namespace {

using Ids = std::vector<TokenId>;

constexpr TokenId kBos = 4087;
constexpr TokenId kAssistantEnd = 4091;
constexpr ToolMarkers kMarkers = {
    .call_begin = 4092, .call_end = 4093, .result_begin = 4094, .result_end = 4095};
constexpr ModelSpec kSpec = {
    .vocab_size = 4096, .max_seq_len = 512, .num_kv_blocks = 140, .block_size = 4};

struct Script {
  Ids prompt;
  Ids choices;  // choices[k]: what the model would say after k tokens of its answer
  Ids expected;
  int max_tokens = 0;
};

// A model that follows scripts: it tells sequences apart by their prompts, which it reads back
// through the block table, so that it notices tokens that were never computed.
class ScriptsRunner : public ModelRunner {
 public:
  explicit ScriptsRunner(std::vector<Script> scripts)
      : scripts_(std::move(scripts)), cache_(std::size_t{140} * 4, -1) {}

  const ModelSpec& spec() const override { return kSpec; }

  Status run(const ModelInput& input, std::vector<float>* logits) override {
    ++num_steps;
    logits->assign(input.logits_indices.size() * 4096, 0.0F);
    std::map<std::int64_t, TokenId> choice_at;
    for (std::size_t i = 0; i < input.past_sequence_lengths.size(); ++i) {
      const auto past = static_cast<std::size_t>(input.past_sequence_lengths[i]);
      const auto begin = static_cast<std::size_t>(input.cumulative_sequence_lengths[i]);
      const auto end = static_cast<std::size_t>(input.cumulative_sequence_lengths[i + 1]);
      Ids tokens;
      for (std::size_t at = 0; at < past + end - begin; ++at) {
        const std::size_t entry = i * static_cast<std::size_t>(input.max_blocks) + at / 4;
        const auto block = static_cast<std::size_t>(input.block_table[entry]);
        TokenId& slot = cache_[block * 4 + at % 4];
        if (at >= past) slot = input.token_ids[begin + at - past];
        tokens.push_back(slot);
      }
      choice_at[static_cast<std::int64_t>(end) - 1] = choose(tokens);
    }
    for (std::size_t row = 0; row < input.logits_indices.size(); ++row) {
      const auto token = static_cast<std::size_t>(choice_at.at(input.logits_indices[row]));
      (*logits)[row * 4096 + token] = 10;
    }
    return ok_status();
  }

  int num_steps = 0;

 private:
  // Of prompts that begin alike, the longest is meant.
  TokenId choose(const Ids& tokens) const {
    const Script* found = nullptr;
    for (const Script& script : scripts_) {
      if (tokens.size() < script.prompt.size()) continue;
      if (!std::equal(script.prompt.begin(), script.prompt.end(), tokens.begin())) continue;
      if (found == nullptr || script.prompt.size() > found->prompt.size()) found = &script;
    }
    const std::size_t step = found == nullptr ? 0 : tokens.size() - found->prompt.size();
    return found == nullptr || step >= found->choices.size() ? kAssistantEnd : found->choices[step];
  }

  std::vector<Script> scripts_;
  Ids cache_;
};

class ToolLoopTest : public testing::Test {
 protected:
  ToolLoopTest()
      : tokenizer_(*load_tokenizer(QUIRE_TEST_DATA "/nanochat/A-e5-d4")),
        goldens_(nlohmann::json::parse(
            std::ifstream(QUIRE_TEST_DATA "/nanochat/A-e5-d4/golden/tools.json"))) {}

  std::unique_ptr<Engine> make_engine(std::vector<Script> scripts,
                                      bool with_tool = true,
                                      const EngineOptions& options = {}) {
    auto runner = std::make_unique<ScriptsRunner>(std::move(scripts));
    runner_ = runner.get();
    EngineParts parts{.runner = std::move(runner),
                      .tokenizer = tokenizer_.get(),
                      .eos_ids = {kAssistantEnd, kBos},
                      .clock_ms = {}};
    if (with_tool)
      parts.tool.emplace(
          kMarkers, Tool([](std::string_view call) { return calculate(call); }), tokenizer_.get());
    return std::make_unique<Engine>(std::move(parts), options);
  }

  static RequestOutput finish(Engine& engine, std::vector<TextDelta>* deltas = nullptr) {
    while (engine.has_unfinished()) {
      StepOutput output = engine.step();
      if (deltas != nullptr) {
        deltas->insert(deltas->end(), output.deltas.begin(), output.deltas.end());
      }
      if (!output.finished.empty()) return std::move(output.finished.front());
    }
    return {};
  }

  RequestOutput run_alone(const Script& script, std::vector<TextDelta>* deltas = nullptr) {
    const auto engine = make_engine({script});
    EXPECT_TRUE(
        engine->submit({.prompt_ids = script.prompt, .params = {.max_tokens = script.max_tokens}}));
    return finish(*engine, deltas);
  }

  std::vector<Script> chats() const {
    std::vector<Script> scripts;
    for (const auto& chat : goldens_.at("chats")) {
      scripts.push_back({.prompt = chat.at("prompt_ids").get<Ids>(),
                         .choices = chat.at("argmax_per_step").get<Ids>(),
                         .expected = chat.at("tokens").get<Ids>(),
                         .max_tokens = chat.at("max_tokens").get<int>()});
    }
    return scripts;
  }

  // "12*7" called and answered, then text; the script's choices in forced places are noise.
  Script simple_script() const {
    return {.prompt = {kBos},
            .choices = {4092, 1396, 42, 55, 4093, 9, 9, 9, 9, 65, 66},
            .expected = {4092, 1396, 42, 55, 4093, 4094, 56, 52, 4095, 65, 66, kAssistantEnd},
            .max_tokens = 40};
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  nlohmann::json goldens_;
  ScriptsRunner* runner_ = nullptr;
};

TEST_F(ToolLoopTest, EveryConversationOfUpstreamComesOutTokenForToken) {
  const std::vector<Script> scripts = chats();
  ASSERT_EQ(scripts.size(), 39U);
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    const RequestOutput output = run_alone(scripts[i]);
    ASSERT_EQ(output.outputs.size(), 1U);
    EXPECT_EQ(output.outputs.front().token_ids, scripts[i].expected)
        << goldens_.at("chats")[i].at("name");
  }
}

TEST_F(ToolLoopTest, EveryScriptedCaseOfUpstreamComesOutTokenForToken) {
  int num_cases = 0;
  for (const auto& golden : goldens_.at("scripted")) {
    ++num_cases;
    const auto& rows = golden.at("rows");
    for (const auto& row : rows) {
      Script script{.prompt = golden.at("prompt_ids").get<Ids>(),
                    .choices = row.at("script").get<Ids>(),
                    .expected = row.at("tokens").get<Ids>(),
                    .max_tokens = golden.at("max_tokens").get<int>()};
      // Upstream's first token is one for all rows, and it goes on feeding rows that have ended.
      script.choices.front() = rows.front().at("script").front().get<TokenId>();
      const auto is_end = [](TokenId id) { return id == kAssistantEnd || id == kBos; };
      const auto end = std::ranges::find_if(script.expected, is_end);
      if (end != script.expected.end()) script.expected.erase(end + 1, script.expected.end());
      EXPECT_EQ(run_alone(script).outputs.front().token_ids, script.expected) << golden.at("name");
    }
  }
  EXPECT_EQ(num_cases, 23);
}

TEST_F(ToolLoopTest, ManyConversationsAtOnceAnswerAsAlone) {
  std::vector<Script> scripts = chats();
  EngineOptions options;
  options.max_num_seqs = 24;
  options.max_batch_tokens = 48;
  const auto engine = make_engine(scripts, true, options);
  std::map<RequestId, const Script*> script_of;
  for (const Script& script : scripts) {
    const auto id = engine->submit(
        {.prompt_ids = script.prompt, .params = {.n = 2, .max_tokens = script.max_tokens}});
    ASSERT_TRUE(id) << id.error().message();
    script_of[*id] = &script;
  }
  int num_finished = 0;
  while (engine->has_unfinished()) {
    for (const RequestOutput& output : engine->step().finished) {
      ++num_finished;
      ASSERT_EQ(output.outputs.size(), 2U);
      for (const CompletionOutput& sample : output.outputs) {
        const Script& script = *script_of.at(output.request_id);
        EXPECT_EQ(sample.token_ids, script.expected);
      }
    }
  }
  EXPECT_EQ(num_finished, 39);
  EXPECT_GT(engine->stats().num_preemptions, 0);
  EXPECT_GT(engine->stats().num_prefix_hit_tokens, 0);
  EXPECT_EQ(engine->stats().num_used_blocks, 0);
}

TEST_F(ToolLoopTest, AResultIsComputedInOneStep) {
  const Script script = simple_script();
  const auto engine = make_engine({script});
  ASSERT_TRUE(engine->submit({.prompt_ids = script.prompt, .params = {.max_tokens = 40}}));
  finish(*engine);
  // One step a chosen token; the four tokens of the result come with the next one.
  EXPECT_EQ(runner_->num_steps, static_cast<int>(script.expected.size()) - 4);
}

TEST_F(ToolLoopTest, CallsAndResultsAreStreamedAsPartsOfTheirOwn) {
  std::vector<TextDelta> deltas;
  const RequestOutput output = run_alone(simple_script(), &deltas);
  const CompletionOutput& sample = output.outputs.front();
  EXPECT_EQ(sample.text, "AB");
  ASSERT_EQ(sample.parts.size(), 3U);
  EXPECT_EQ(sample.parts[0].kind, PartKind::kToolCall);
  EXPECT_EQ(sample.parts[0].text, "12*7");
  EXPECT_EQ(sample.parts[1].kind, PartKind::kToolResult);
  EXPECT_EQ(sample.parts[1].text, "84");
  EXPECT_EQ(sample.parts[2].kind, PartKind::kText);
  EXPECT_EQ(sample.parts[2].text, "AB");
  std::map<PartKind, std::string> texts;
  Ids ids;
  for (const TextDelta& delta : deltas) {
    texts[delta.kind] += delta.text;
    ids.insert(ids.end(), delta.token_ids.begin(), delta.token_ids.end());
  }
  EXPECT_EQ(texts[PartKind::kToolCall], "12*7");
  EXPECT_EQ(texts[PartKind::kToolResult], "84");
  EXPECT_EQ(texts[PartKind::kText], "AB");
  EXPECT_EQ(ids, sample.token_ids);
  EXPECT_EQ(deltas.back().finish_reason, FinishReason::kStop);
}

TEST_F(ToolLoopTest, StopStringsAreLookedForInTheTextAlone) {
  Script script = simple_script();
  const auto engine = make_engine({script});
  ASSERT_TRUE(engine->submit(
      {.prompt_ids = script.prompt, .params = {.max_tokens = 40, .stop = {"84", "2*", "B"}}}));
  const CompletionOutput sample = finish(*engine).outputs.front();
  EXPECT_EQ(sample.text, "A");
  EXPECT_EQ(sample.parts.size(), 3U);
}

TEST_F(ToolLoopTest, TokensOfAResultHaveNoLogProbability) {
  const Script script = simple_script();
  const auto engine = make_engine({script});
  ASSERT_TRUE(
      engine->submit({.prompt_ids = script.prompt, .params = {.max_tokens = 40, .logprobs = 1}}));
  const CompletionOutput sample = finish(*engine).outputs.front();
  ASSERT_EQ(sample.logprobs.size(), sample.token_ids.size());
  for (std::size_t i = 0; i < sample.logprobs.size(); ++i) {
    EXPECT_EQ(sample.logprobs[i].token, sample.token_ids[i]);
    EXPECT_EQ(std::isnan(sample.logprobs[i].logprob), i >= 5 && i < 9) << i;
  }
}

TEST_F(ToolLoopTest, WithoutAToolTheMarkersAreTokensLikeOthers) {
  const Script script = simple_script();
  const auto engine = make_engine({script}, false);
  ASSERT_TRUE(engine->submit({.prompt_ids = script.prompt, .params = {.max_tokens = 40}}));
  const CompletionOutput sample = finish(*engine).outputs.front();
  Ids expected = script.choices;
  expected.push_back(kAssistantEnd);
  EXPECT_EQ(sample.token_ids, expected);
  EXPECT_TRUE(sample.parts.empty());
}

}  // namespace
}  // namespace quire
