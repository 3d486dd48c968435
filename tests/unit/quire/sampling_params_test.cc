#include "quire/sampling_params.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace quire {
namespace {

constexpr int kVocab = 100;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  const char* field;
  std::function<void(SamplingParams&)> break_it;
};

TEST(SamplingParamsTest, EveryValueOutOfBoundsIsRefusedByItsName) {
  const std::vector<Case> cases = {
      {"n", [](auto& p) { p.n = 0; }},
      {"n", [](auto& p) { p.n = 129; }},
      {"max_tokens", [](auto& p) { p.max_tokens = 0; }},
      {"min_tokens", [](auto& p) { p.min_tokens = -1; }},
      {"min_tokens", [](auto& p) { p.min_tokens = p.max_tokens + 1; }},
      {"temperature", [](auto& p) { p.temperature = kNan; }},
      {"temperature", [](auto& p) { p.temperature = kInfinity; }},
      {"temperature", [](auto& p) { p.temperature = -0.1; }},
      {"temperature", [](auto& p) { p.temperature = 5.1; }},
      {"top_k", [](auto& p) { p.top_k = -2; }},
      {"top_p", [](auto& p) { p.top_p = 0; }},
      {"top_p", [](auto& p) { p.top_p = 1.0000001; }},
      {"top_p", [](auto& p) { p.top_p = kNan; }},
      {"min_p", [](auto& p) { p.min_p = 1.1; }},
      {"presence_penalty", [](auto& p) { p.presence_penalty = 2.1; }},
      {"frequency_penalty", [](auto& p) { p.frequency_penalty = -kInfinity; }},
      {"repetition_penalty", [](auto& p) { p.repetition_penalty = 0; }},
      {"logprobs", [](auto& p) { p.logprobs = 21; }},
      {"prompt_logprobs", [](auto& p) { p.prompt_logprobs = -1; }},
      {"stop", [](auto& p) { p.stop = {""}; }},
      {"stop", [](auto& p) { p.stop = {std::string(257, 'x')}; }},
      {"stop", [](auto& p) { p.stop.assign(17, "x"); }},
      {"stop_token_ids", [](auto& p) { p.stop_token_ids = {kVocab}; }},
      {"logit_bias", [](auto& p) { p.logit_bias = {{-1, 0}}; }},
      {"logit_bias", [](auto& p) { p.logit_bias = {{0, kNan}}; }},
      {"logit_bias", [](auto& p) { p.logit_bias.assign(1025, {0, 0}); }},
      {"allowed_token_ids", [](auto& p) { p.allowed_token_ids = {kVocab}; }},
      {"bad_words", [](auto& p) { p.bad_words = {{}}; }},
      {"bad_words", [](auto& p) { p.bad_words = {{kVocab}}; }},
  };
  for (const Case& c : cases) {
    SamplingParams params;
    c.break_it(params);
    const Status status = validate(params, kVocab);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.field;
    EXPECT_TRUE(status.message().starts_with(c.field)) << status.message();
  }
}

TEST(SamplingParamsTest, ValuesAtTheirBoundsAreAccepted) {
  SamplingParams params{.n = 128,
                        .max_tokens = 1,
                        .min_tokens = 1,
                        .temperature = 5,
                        .top_k = -1,
                        .top_p = 1,
                        .min_p = 1,
                        .presence_penalty = -2,
                        .frequency_penalty = 2,
                        .repetition_penalty = 10};
  params.stop.assign(16, std::string(256, 'x'));
  params.stop_token_ids = {0, kVocab - 1};
  params.logprobs = 20;
  EXPECT_TRUE(validate(params, kVocab).ok()) << validate(params, kVocab).message();
}

}  // namespace
}  // namespace quire
