// The promise the engine makes: what a request gets depends on the request alone. Random crowds run
// over tiny caches, small budgets and few slots, with cancels, shared beginnings, several samples
// and faults, and every answer is held against the one computed without an engine.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "runner/fake_runner.h"
#include "sampling/logits_processor.h"
#include "sampling/sampler.h"

namespace quire {
namespace {

constexpr int kVocab = 23;
constexpr TokenId kEos = 3;

struct World {
  std::mt19937_64 random;
  ModelSpec spec;
  EngineOptions options;
  bool faults = false;

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }
};

World make_world(std::uint64_t seed) {
  World world{.random = std::mt19937_64(seed), .spec = {}, .options = {}};
  const int block_size = 1 << world.pick(1, 4);
  const int num_blocks = world.pick(4, 40);
  world.spec = {.vocab_size = kVocab,
                .max_seq_len = world.pick(8, 200),
                .num_kv_blocks = num_blocks,
                .block_size = block_size};
  world.options.max_num_seqs = world.pick(1, 8);
  world.options.max_batch_tokens = world.pick(1, 40);
  world.options.prefix_cache = world.pick(0, 3) != 0;
  world.options.seed = 7;
  world.faults = world.pick(0, 3) == 0;
  return world;
}

Request make_request(World& world, const std::vector<TokenId>& shared_beginning) {
  Request request;
  const int capacity =
      std::min(world.spec.max_seq_len, world.spec.num_kv_blocks * world.spec.block_size);
  const int length = world.pick(1, std::max(1, capacity - 2));
  for (int i = 0; i < length; ++i) {
    const bool share = world.pick(0, 9) != 0 && i < static_cast<int>(shared_beginning.size());
    request.prompt_ids.push_back(share ? shared_beginning[static_cast<std::size_t>(i)]
                                       : world.pick(0, kVocab - 1));
  }
  SamplingParams& params = request.params;
  params.n = world.pick(0, 4) == 0 ? world.pick(2, 4) : 1;
  params.max_tokens = world.pick(1, std::max(1, capacity - length));
  params.temperature = world.pick(0, 1) == 0 ? 0.0 : 0.8;
  params.top_k = world.pick(0, 1) == 0 ? 0 : 5;
  params.top_p = world.pick(0, 1) == 0 ? 1.0 : 0.9;
  params.seed = static_cast<std::uint64_t>(world.pick(0, 1000));
  params.ignore_eos = world.pick(0, 1) == 0;
  params.repetition_penalty = world.pick(0, 2) == 0 ? 1.3 : 1.0;
  params.frequency_penalty = world.pick(0, 2) == 0 ? 0.5 : 0.0;
  params.min_tokens = world.pick(0, 3) == 0 ? std::min(3, params.max_tokens) : 0;
  if (world.pick(0, 3) == 0) params.logit_bias = {{world.pick(0, kVocab - 1), 2.0}};
  if (world.pick(0, 3) == 0) params.logprobs = 2;
  if (world.pick(0, 5) == 0) params.prompt_logprobs = 1;
  request.cache_salt = world.pick(0, 3) == 0 ? "other" : "";
  request.priority = world.pick(0, 3) == 0 ? world.pick(-1, 1) : 0;
  return request;
}

// The answer without an engine: one token after another from the fake model's own definition.
std::vector<TokenId> solo_answer(const Request& request, int sample_index, int max_seq_len) {
  std::vector<TokenId> tokens = request.prompt_ids;
  std::vector<TokenId> output;
  TokenCounts counts;
  for (const TokenId id : tokens) ++counts.prompt[id];
  const std::vector<TokenId> eos =
      request.params.ignore_eos ? std::vector<TokenId>{} : std::vector<TokenId>{kEos};
  const int most = std::min(request.params.max_tokens,
                            max_seq_len - static_cast<int>(request.prompt_ids.size()));
  while (static_cast<int>(output.size()) < most) {
    std::vector<float> logits = FakeRunner::expected_logits(tokens, kVocab);
    process_logits(
        request.params, {.counts = &counts, .output_ids = output, .eos_ids = eos}, logits);
    const TokenId token = *sample(request.params,
                                  {.seed = *request.params.seed,
                                   .sample = static_cast<std::uint32_t>(sample_index),
                                   .position = output.size()},
                                  logits);
    tokens.push_back(token);
    output.push_back(token);
    ++counts.output[token];
    if (!eos.empty() && token == kEos) break;
  }
  return output;
}

// Runs one random crowd to its end; adds what went wrong to the test's failures.
void run_crowd(std::uint64_t seed) {
  SCOPED_TRACE("replay with QUIRE_SEED=" + std::to_string(seed));
  World world = make_world(seed);
  auto runner = std::make_unique<FakeRunner>(world.spec);
  std::mt19937_64 fault_random(seed + 1);
  if (world.faults) {
    runner->set_fault([&fault_random](const ModelInput& input) -> Status {
      // Only whole crowds fail: alone, each sequence goes through.
      const bool fail = input.past_sequence_lengths.size() > 1 && fault_random() % 4 == 0;
      return fail ? internal_error("injected") : ok_status();
    });
  }
  Engine engine({.runner = std::move(runner),
                 .tokenizer = nullptr,
                 .eos_ids = {kEos},
                 .clock_ms = [] { return 0.0; }},
                world.options);
  std::vector<TokenId> shared_beginning;
  for (int i = 0; i < 100; ++i) shared_beginning.push_back(world.pick(0, kVocab - 1));
  std::map<RequestId, Request> requests;
  std::map<RequestId, bool> cancelled;
  int to_submit = world.pick(1, 12);
  int num_finished = 0;
  for (int step = 0; step < 20000 && (to_submit > 0 || engine.has_unfinished()); ++step) {
    while (to_submit > 0 && world.pick(0, 2) == 0) {
      --to_submit;
      Request request = make_request(world, shared_beginning);
      const Result<RequestId> id = engine.submit(request);
      ASSERT_TRUE(id) << id.error().message();
      requests[*id] = std::move(request);
    }
    if (!requests.empty() && world.pick(0, 60) == 0) {
      const RequestId victim =
          static_cast<RequestId>(world.pick(1, static_cast<int>(requests.size())));
      if (engine.cancel(victim)) cancelled[victim] = true;
    }
    const StepOutput output = engine.step();
    for (const RequestOutput& finished : output.finished) {
      ++num_finished;
      ASSERT_TRUE(finished.error.ok()) << finished.error.message();
      if (cancelled.contains(finished.request_id)) continue;
      const Request& request = requests.at(finished.request_id);
      ASSERT_EQ(static_cast<int>(finished.outputs.size()), request.params.n);
      for (const CompletionOutput& sample : finished.outputs) {
        ASSERT_EQ(sample.token_ids, solo_answer(request, sample.index, world.spec.max_seq_len));
        if (request.params.logprobs) {
          ASSERT_EQ(sample.logprobs.size(), sample.token_ids.size());
        }
      }
      if (request.params.prompt_logprobs) {
        ASSERT_EQ(finished.prompt_logprobs.size(), request.prompt_ids.size() - 1);
      }
    }
  }
  ASSERT_FALSE(engine.has_unfinished()) << "the crowd did not come to an end";
  EXPECT_EQ(num_finished, static_cast<int>(requests.size()));
  EXPECT_EQ(engine.stats().num_used_blocks, 0) << "blocks were lost";
}

TEST(CrowdPropertyTest, EveryAnswerEqualsTheAnswerAlone) {
  if (const char* seed = std::getenv("QUIRE_SEED")) {
    run_crowd(std::strtoull(seed, nullptr, 10));
    return;
  }
  for (std::uint64_t seed = 1; seed <= 2000 && !HasFatalFailure(); ++seed) run_crowd(seed);
}

}  // namespace
}  // namespace quire
