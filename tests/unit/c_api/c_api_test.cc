#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "quire/quire.h"

namespace {

using Json = nlohmann::json;

constexpr const char* kPackage = QUIRE_TEST_DATA "/contract/paged";

struct Free {
  void operator()(quire_llm* llm) const { quire_free(llm); }
};
using Owned = std::unique_ptr<quire_llm, Free>;

quire_status open(const quire_options& options, Owned* llm) {
  quire_llm* opened = nullptr;
  const quire_status status = quire_open(kPackage, &options, &opened);
  llm->reset(opened);
  return status;
}

// What events said of one answer.
struct Answer {
  std::vector<std::int32_t> ids;
  Json logprobs = Json::array();
  std::string finish_reason;
};

struct Outcome {
  std::map<int, Answer> answers;  // by index
  int num_finished = 0;
  std::string error;
};

Outcome drain(quire_llm* llm, std::uint64_t request_id) {
  Outcome outcome;
  while (quire_has_unfinished(llm) != 0) {
    EXPECT_EQ(quire_step(llm), QUIRE_OK) << quire_last_error();
    quire_event event;
    while (quire_poll(llm, &event) == QUIRE_OK) {
      EXPECT_EQ(event.request_id, request_id);
      if (event.finished != 0) {
        ++outcome.num_finished;
        outcome.error = event.error;
        continue;
      }
      Answer& answer = outcome.answers[event.index];
      answer.ids.insert(answer.ids.end(), event.token_ids, event.token_ids + event.num_token_ids);
      if (std::strlen(event.logprobs_json) > 0) {
        for (const Json& entry : Json::parse(event.logprobs_json)) answer.logprobs.push_back(entry);
      }
      EXPECT_TRUE(answer.finish_reason.empty());  // nothing follows the last piece
      answer.finish_reason = event.finish_reason;
    }
  }
  return outcome;
}

TEST(CApiTest, AJsonRequestDoesWhatTheFunctionOfItsKindDoes) {
  Owned llm;
  ASSERT_EQ(open(quire_default_options(), &llm), QUIRE_OK) << quire_last_error();
  const std::vector<std::int32_t> prompt = {10, 14, 31};
  quire_sampling_params params = quire_default_sampling_params();
  params.max_tokens = 7;
  std::uint64_t id = 0;
  ASSERT_EQ(quire_submit_ids(llm.get(), prompt.data(), prompt.size(), &params, &id), QUIRE_OK);
  const Outcome by_ids = drain(llm.get(), id);
  ASSERT_EQ(quire_submit_json(
                llm.get(), R"({"token_ids": [10, 14, 31], "max_tokens": 7, "logprobs": 2})", &id),
            QUIRE_OK)
      << quire_last_error();
  const Outcome by_json = drain(llm.get(), id);
  ASSERT_EQ(by_ids.answers.size(), 1U);
  EXPECT_EQ(by_json.answers.at(0).ids, by_ids.answers.at(0).ids);
  EXPECT_TRUE(by_ids.answers.at(0).logprobs.empty());
  ASSERT_EQ(by_json.answers.at(0).logprobs.size(), 7U);
  for (std::size_t i = 0; i < 7; ++i) {
    const Json& entry = by_json.answers.at(0).logprobs[i];
    EXPECT_EQ(entry["token_id"], by_json.answers.at(0).ids[i]);
    EXPECT_EQ(entry["top_logprobs"].size(), 2U);
  }
}

TEST(CApiTest, EveryAnswerOfARequestHasItsIndexAndItsEnd) {
  Owned llm;
  ASSERT_EQ(open(quire_default_options(), &llm), QUIRE_OK) << quire_last_error();
  std::uint64_t id = 0;
  ASSERT_EQ(quire_submit_json(llm.get(),
                              R"({"token_ids": [3, 4], "n": 3, "temperature": 1.5, "seed": 11,)"
                              R"( "max_tokens": 5, "ignore_eos": true})",
                              &id),
            QUIRE_OK)
      << quire_last_error();
  const Outcome outcome = drain(llm.get(), id);
  EXPECT_EQ(outcome.num_finished, 1);
  ASSERT_EQ(outcome.answers.size(), 3U);
  for (const auto& [index, answer] : outcome.answers) {
    EXPECT_EQ(answer.ids.size(), 5U) << index;
    EXPECT_EQ(answer.finish_reason, "length") << index;
  }
}

TEST(CApiTest, ARequestPastItsTimeSaysSoInItsLastEvent) {
  Owned llm;
  ASSERT_EQ(open(quire_default_options(), &llm), QUIRE_OK) << quire_last_error();
  std::uint64_t id = 0;
  ASSERT_EQ(quire_submit_json(llm.get(), R"({"token_ids": [3, 4], "timeout_ms": 0.000001})", &id),
            QUIRE_OK)
      << quire_last_error();
  const Outcome outcome = drain(llm.get(), id);
  EXPECT_EQ(outcome.num_finished, 1);
  EXPECT_NE(outcome.error, "");
}

TEST(CApiTest, WhatIsNoRequestIsRefusedWithTheFieldAndNothingIsQueued) {
  Owned llm;
  ASSERT_EQ(open(quire_default_options(), &llm), QUIRE_OK) << quire_last_error();
  const std::vector<std::pair<const char*, const char*>> wrong = {
      {nullptr, "JSON"},
      {"", "JSON"},
      {"[]", "object"},
      {"{}", "exactly one of"},
      {R"({"token_ids": [1], "max_token": 3})", "max_token"},
      {R"({"token_ids": [1], "temperature": "hot"})", "temperature"},
      {R"({"token_ids": ["a"]})", "token_ids"},
      {R"({"prompt": "no tokenizer here"})", "tokenizer"},
  };
  for (const auto& [request, cause] : wrong) {
    std::uint64_t id = 0;
    EXPECT_EQ(quire_submit_json(llm.get(), request, &id), QUIRE_INVALID_ARGUMENT);
    EXPECT_NE(std::string(quire_last_error()).find(cause), std::string::npos) << quire_last_error();
  }
  EXPECT_EQ(quire_has_unfinished(llm.get()), 0);
}

TEST(CApiTest, TheStringsOfOptionsReachTheEngine) {
  quire_options options = quire_default_options();
  options.kv_dtype = "int8";
  options.backend = "graph";
  options.block_size = 32;
  Owned llm;
  EXPECT_EQ(open(options, &llm), QUIRE_OK) << quire_last_error();
  for (const auto& [member, field] :
       {std::pair(&quire_options::kv_dtype, "kv_dtype"),
        std::pair(&quire_options::backend, "backend"),
        std::pair(&quire_options::tools, "tools"),
        std::pair(&quire_options::activation_bits, "activation_bits")}) {
    quire_options bad = quire_default_options();
    bad.*member = "nonsense";
    EXPECT_EQ(open(bad, &llm), QUIRE_INVALID_ARGUMENT);
    EXPECT_NE(std::string(quire_last_error()).find(std::string("option ") + field),
              std::string::npos)
        << quire_last_error();
  }
}

}  // namespace
