#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "openai/answer.h"
#include "openai/api_error.h"
#include "openai/api_request.h"
#include "openai/messages_api.h"

namespace quire::openai {
namespace {

using nlohmann::json;
using wire::LineForm;

Result<ApiRequest> read(const std::string& text, LineForm form = LineForm::kOpenAiChat) {
  auto body = ApiBody::parse(text);
  if (!body) return body.error();
  return read_api_request(form, *std::move(body), {});
}

Result<ApiRequest> read_messages(const std::string& text) {
  auto body = ApiBody::parse(text);
  if (!body) return body.error();
  return read_messages_request(*std::move(body), {}, {});
}

const std::vector<ChatMessage>& conversation(const ApiRequest& request) {
  return std::get<std::vector<ChatMessage>>(request.requests.front().prompt);
}

TEST(ApiRequestTest, PromptsOfABatchShareEverythingElse) {
  const auto texts =
      read(R"({"prompt":["a","b"],"n":2,"seed":5,"stop":"x"})", LineForm::kOpenAiCompletion);
  ASSERT_TRUE(texts) << texts.error().message();
  ASSERT_EQ(texts->requests.size(), 2U);
  EXPECT_EQ(texts->num_samples(), 4);
  EXPECT_EQ(std::get<std::string>(texts->requests[1].prompt), "b");
  for (const GenerateRequest& each : texts->requests) {
    EXPECT_EQ(each.params.seed, 5U);
    EXPECT_EQ(each.params.stop, std::vector<std::string>{"x"});
  }
}

TEST(ApiRequestTest, CountsOverTheLimitsAreRefusedAndAtTheLimitTaken) {
  const auto prompts = [](int count) {
    json body = {{"prompt", json::array()}};
    for (int i = 0; i < count; ++i) body["prompt"].push_back("p");
    return read(body.dump(), LineForm::kOpenAiCompletion);
  };
  EXPECT_TRUE(prompts(64));
  EXPECT_FALSE(prompts(65));
  const auto samples = [](int count) {
    const json body = {{"messages", {{{"role", "user"}, {"content", "a"}}}}, {"n", count}};
    return read(body.dump());
  };
  EXPECT_TRUE(samples(16));
  EXPECT_FALSE(samples(17));
}

TEST(ApiRequestTest, AnErrorNamesTheFieldInItsBody) {
  const json body = {{"temperature", 9}, {"foo", 1}};
  EXPECT_EQ(field_at_fault("temperature is 9, but must be from 0 to 5", body), "temperature");
  EXPECT_EQ(field_at_fault("the field \"foo\" is not known; leave it out", body), "foo");
  EXPECT_EQ(field_at_fault("the prompt is empty", body), "");
  const json shown = json::parse(error_body({.status = 503, .message = "a\"b"}));
  EXPECT_EQ(shown["error"]["message"], "a\"b");
  EXPECT_EQ(shown["error"]["type"], "server_error");
  EXPECT_TRUE(shown["error"]["param"].is_null());
}

TEST(MessagesTest, BlocksBecomeTheMessagesOfAChat) {
  const auto request = read_messages(R"({"max_tokens":5,"stop_sequences":["x"],
    "system":[{"type":"text","text":"x-anthropic-billing-header: 123\nBe kind."}],
    "messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"text","text":"calling"},
        {"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"42"},
        {"type":"text","text":"and?"}]}]})");
  ASSERT_TRUE(request) << request.error().message();
  const auto& messages = conversation(*request);
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[0].content, "Be kind.");
  EXPECT_NE(messages[2].extra_json.find(R"("name":"f")"), std::string::npos);
  EXPECT_EQ(messages[3].role, "tool");
  EXPECT_EQ(messages[4].content, "and?");
  EXPECT_EQ(request->requests.front().params.stop, std::vector<std::string>{"x"});
  EXPECT_FALSE(request->requests.front().continue_final_message);
}

TEST(MessagesTest, AMessageOfNoTextIsAMessageAllTheSame) {
  for (const char* content : {R"([{"type":"text","text":""}])", "[]", R"("")"}) {
    const auto request = read_messages(R"({"max_tokens":5,"messages":[{"role":"user","content":)" +
                                       std::string(content) + "}]}");
    ASSERT_TRUE(request) << request.error().message();
    EXPECT_EQ(conversation(*request).size(), 1U);
  }
}

TEST(MessagesTest, AnAnswerThatIsBegunIsGoneOnWith) {
  const auto request = read_messages(R"({"max_tokens":5,"messages":[
    {"role":"user","content":"q"},{"role":"assistant","content":"The"}]})");
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_TRUE(request->requests.front().continue_final_message);
}

TEST(MessagesTest, WhatIsNotHereIsRefusedByName) {
  const std::string user = R"("messages":[{"role":"user","content":"q"}])";
  for (const auto& [field, name] : std::vector<std::pair<std::string, std::string>>{
           {R"("thinking":{"type":"hard"})", "thinking"},
           {R"("thinking":{"type":"enabled","budget_tokens":-1})", "thinking"},
           {R"("tool_choice":{"type":"any"})", "tool_choice"},
           {R"("tool_choice":{"type":"some"})", "tool_choice"},
           {R"("mcp_servers":[])", "mcp_servers"},
           {R"("tools":[{"type":"web_search","name":"w"}])", "web_search"}}) {
    const auto request = read_messages("{\"max_tokens\":5," + user + "," + field + "}");
    ASSERT_FALSE(request) << field;
    EXPECT_NE(request.error().message().find(name), std::string::npos) << request.error().message();
  }
}

TEST(MessagesTest, ThoughtsAreABlockOfTheirOwn) {
  const auto request = read_messages(R"({"max_tokens":5,"messages":[{"role":"user","content":"q"},
    {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},
                                   {"type":"text","text":"a"}]},
    {"role":"user","content":"r"}]})");
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(conversation(*request)[1].content, "a");
  AnswerContext context;
  context.reading.reasoning = ReasoningMarkers{.open = "<t>", .close = "</t>"};
  const auto answer = make_messages_answer(*request, {}, context);
  const RequestOutput output{
      .outputs = {{.text = "<t>why</t>so", .finish_reason = FinishReason::kStop}}};
  const json whole = json::parse(answer->whole({output}));
  EXPECT_EQ(whole["content"][0]["thinking"], "why");
  EXPECT_EQ(whole["content"][1]["text"], "so");
  std::string events = answer->begin();
  for (const char c : output.outputs[0].text) {
    events += answer->delta(0, {.text = std::string(1, c)});
  }
  events += answer->end({output});
  const auto at = [&events](const char* text) { return events.find(text); };
  EXPECT_LT(at("thinking_delta"), at(R"({"type":"content_block_stop","index":0})"));
  EXPECT_LT(at(R"({"type":"content_block_stop","index":0})"), at(R"("index":1,"content_block")"));
  EXPECT_LT(at(R"("index":1,"content_block")"), at("text_delta"));
  EXPECT_NE(at(R"({"type":"content_block_stop","index":1})"), std::string::npos);
}

TEST(AnswerTest, PiecesOfAStreamAddUpToTheWhole) {
  auto request = read(R"({"messages":[{"role":"user","content":"a"}],"stream":true,
                          "stream_options":{"include_usage":true}})");
  ASSERT_TRUE(request) << request.error().message();
  const auto answer = make_completion_answer(*request, {}, {.id = "1", .model = "m"});
  std::string events = answer->begin();
  events += answer->delta(0, {.text = "Hel", .token_ids = {1}});
  events += answer->delta(0, {.kind = PartKind::kToolCall, .text = "1+1", .token_ids = {2}});
  events +=
      answer->delta(0, {.text = "lo", .token_ids = {3}, .finish_reason = FinishReason::kLength});
  RequestOutput output{.outputs = {{.text = "Hello",
                                    .token_ids = {1, 2, 3},
                                    .finish_reason = FinishReason::kLength}},
                       .num_prompt_tokens = 7,
                       .num_cached_tokens = 4};
  events += answer->end({output});
  std::string text;
  std::size_t begin = 0;
  json last;
  while ((begin = events.find("data: ", begin)) != std::string::npos) {
    begin += 6;
    const std::string data = events.substr(begin, events.find('\n', begin) - begin);
    if (data == "[DONE]") break;
    last = json::parse(data);
    if (!last["choices"].empty()) text += last["choices"][0]["delta"].value("content", "");
  }
  const json whole = json::parse(answer->whole({output}));
  EXPECT_EQ(whole["choices"][0]["message"]["content"], text);
  EXPECT_EQ(whole["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(last["usage"], whole["usage"]);
  EXPECT_EQ(whole["usage"]["total_tokens"], 10);
  EXPECT_EQ(whole["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
}

}  // namespace
}  // namespace quire::openai
