#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "openai/answer.h"
#include "openai/messages_api.h"
#include "openai/responses_api.h"

namespace quire::openai {
namespace {

using nlohmann::json;

const json kTools = {
    {{"type", "function"}, {"function", {{"name", "f"}, {"parameters", {{"type", "object"}}}}}},
    {{"type", "function"}, {"function", {{"name", "g"}}}}};
const std::string kText =
    "Let me see.\n<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": [1]}}"
    "</tool_call>\n<tool_call>{\"name\": \"g\"}</tool_call>";
const std::string kBroken =
    "So <tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1, \"a\": 2}}"
    "</tool_call> it is.";

AnswerContext context_of() {
  AnswerContext context{.id = "00112233", .model = "m"};
  context.reading.id = context.id;
  context.reading.tools.format = tool_calls::Format::kHermes;
  context.reading.tools.functions = std::make_shared<const tool_calls::FunctionList>(
      *tool_calls::FunctionList::parse(kTools.dump()));
  return context;
}

ApiRequest chat_request() {
  auto body = ApiBody::parse(
      json({{"messages", {{{"role", "user"}, {"content", "q"}}}}, {"tools", kTools}}).dump());
  return *read_api_request(wire::LineForm::kOpenAiChat, *std::move(body), {});
}

RequestOutput output_of(const std::string& text) {
  RequestOutput output;
  output.outputs.push_back({.text = text, .finish_reason = FinishReason::kStop});
  return output;
}

// The data of the events of a stream, in which the text comes a byte at a time.
std::vector<json> stream(Answer* answer, const std::string& text) {
  std::string events = answer->begin();
  for (const char c : text) events += answer->delta(0, {.text = std::string(1, c)});
  events += answer->delta(0, {.finish_reason = FinishReason::kStop});
  events += answer->end({output_of(text)});
  std::vector<json> data;
  for (std::size_t at = 0; (at = events.find("data: ", at)) != std::string::npos;) {
    at += 6;
    const std::string line = events.substr(at, events.find('\n', at) - at);
    if (line != "[DONE]") data.push_back(json::parse(line));
  }
  return data;
}

TEST(ToolAnswerTest, TheChunksOfAChatAddUpToItsMessage) {
  for (const std::string& text : {kText, kBroken, std::string("plain\n")}) {
    const json whole = json::parse(
        make_completion_answer(chat_request(), {}, context_of())->whole({output_of(text)}));
    const json& message = whole["choices"][0]["message"];
    const auto answer = make_completion_answer(chat_request(), {}, context_of());
    std::string content;
    json calls = json::array();
    std::string reason;
    for (const json& chunk : stream(answer.get(), text)) {
      const json& choice = chunk["choices"][0];
      content += choice["delta"].value("content", "");
      for (const json& part : choice["delta"].value("tool_calls", json::array())) {
        if (part.contains("id")) {
          calls.push_back(part);
          calls.back().erase("index");
        } else {
          json& arguments = calls.at(part["index"].get<std::size_t>())["function"]["arguments"];
          arguments =
              arguments.get<std::string>() + part["function"]["arguments"].get<std::string>();
        }
      }
      if (!choice["finish_reason"].is_null()) reason = choice["finish_reason"];
    }
    EXPECT_EQ(content, message["content"]);
    EXPECT_EQ(reason, whole["choices"][0]["finish_reason"]);
    if (text == kBroken) {
      EXPECT_EQ(content, kBroken);
      EXPECT_EQ(reason, "stop");
      ASSERT_EQ(calls.size(), 1U);  // begun, and nothing that anybody could run
      EXPECT_TRUE(json::parse(calls[0]["function"]["arguments"].get<std::string>(), nullptr, false)
                      .is_discarded());
      EXPECT_FALSE(message.contains("tool_calls"));
    } else {
      EXPECT_EQ(calls, message.value("tool_calls", json::array())) << text;
    }
  }
}

TEST(ToolAnswerTest, AnthropicsBlocksAreThoseOfTheWholeMessage) {
  auto body = ApiBody::parse(json({{"max_tokens", 5},
                                   {"messages", {{{"role", "user"}, {"content", "q"}}}},
                                   {"tools", {{{"name", "f"}, {"input_schema", json::object()}}}}})
                                 .dump());
  const ApiRequest request = *read_messages_request(*std::move(body), {}, {});
  for (const std::string& text : {kText, kBroken}) {
    const json whole =
        json::parse(make_messages_answer(request, {}, context_of())->whole({output_of(text)}));
    const auto answer = make_messages_answer(request, {}, context_of());
    json blocks = json::array();
    std::string arguments;
    json reason;
    for (const json& event : stream(answer.get(), text)) {
      if (event["type"] == "content_block_start") blocks.push_back(event["content_block"]);
      if (event["type"] == "content_block_delta") {
        const json& delta = event["delta"];
        if (delta["type"] == "input_json_delta") {
          blocks.back()["input"] = json::parse(delta["partial_json"].get<std::string>());
        } else {
          blocks.back()["text"] =
              blocks.back()["text"].get<std::string>() + delta["text"].get<std::string>();
        }
      }
      if (event["type"] == "message_delta") reason = event["delta"]["stop_reason"];
    }
    EXPECT_EQ(blocks, whole["content"]);
    EXPECT_EQ(reason, whole["stop_reason"]);
    EXPECT_EQ(reason, text == kText ? "tool_use" : "end_turn");
  }
}

TEST(ToolAnswerTest, AResponsesItemsAreThoseOfItsStream) {
  json tools = json::array();
  for (const json& tool : kTools) {
    json flat = tool["function"];
    flat["type"] = "function";
    tools.push_back(std::move(flat));
  }
  for (const std::string& text :
       {kText, kBroken, kText + " And that is it.", std::string("plain")}) {
    auto body = ApiBody::parse(json({{"input", "q"}, {"tools", tools}}).dump());
    const auto request = read_responses_request(*std::move(body), {}, {});
    ASSERT_TRUE(request) << request.error().message();
    const auto answer = make_responses_answer(*request, {}, context_of());
    json items = json::array();
    json response;
    std::int64_t number = 0;
    for (const json& event : stream(answer.get(), text)) {
      EXPECT_EQ(event["sequence_number"], number++);
      if (event["type"] == "response.output_item.done") {
        EXPECT_EQ(event["output_index"], items.size());
        items.push_back(event["item"]);
      }
      if (event["type"] == "response.completed") response = event["response"];
    }
    EXPECT_EQ(items, response["output"]) << text;
    EXPECT_EQ(response["tools"], tools);
    if (text != kBroken) continue;
    EXPECT_EQ(items[0]["content"][0]["text"], kBroken);
  }
}

TEST(ToolRequestTest, ItemsOfCallsBecomeMessagesOfAChat) {
  auto body = ApiBody::parse(R"({"input":[{"role":"user","content":"q"},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}]},
    {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
    {"type":"function_call","call_id":"c2","name":"g","arguments":"{}","status":"completed"},
    {"type":"function_call_output","call_id":"c1","output":"one"},
    {"type":"function_call_output","call_id":"c2",
     "output":[{"type":"input_text","text":"two"}]}]})");
  ASSERT_TRUE(body);
  const auto request = read_responses_request(*std::move(body), {}, {});
  ASSERT_TRUE(request) << request.error().message();
  const auto& messages = std::get<std::vector<ChatMessage>>(request->requests.front().prompt);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[1].content, "I look.");
  EXPECT_EQ(json::parse(messages[1].extra_json)["tool_calls"].size(), 2U);
  EXPECT_EQ(messages[2].content, "one");
  EXPECT_EQ(messages[3].content, "two");
}

TEST(ToolRequestTest, AnthropicsThinkingIsABudgetAndASwitch) {
  const auto read = [](const std::string& thinking) {
    auto body = ApiBody::parse(R"({"max_tokens":5,"messages":[{"role":"user","content":"q"}],)" +
                               thinking + "}");
    const auto request = read_messages_request(*std::move(body), {}, {});
    EXPECT_TRUE(request) << request.error().message();
    return request->requests.front();
  };
  const GenerateRequest on = read(R"("thinking":{"type":"enabled","budget_tokens":1024})");
  EXPECT_EQ(on.params.max_reasoning_tokens, 1024);
  EXPECT_EQ(on.template_context_json, R"({"enable_thinking":true})");
  const GenerateRequest off = read(R"("thinking":{"type":"disabled"})");
  EXPECT_EQ(off.params.max_reasoning_tokens, 0);
  EXPECT_EQ(off.template_context_json, R"({"enable_thinking":false})");
}

}  // namespace
}  // namespace quire::openai
