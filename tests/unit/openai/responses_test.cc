#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "openai/response_store.h"
#include "openai/responses_api.h"
#include "support/byte_tokenizer.h"

namespace quire::openai {
namespace {

using nlohmann::json;

Result<ApiRequest> read(const json& body, const Caller& caller = {}) {
  auto parsed = ApiBody::parse(body.dump());
  if (!parsed) return parsed.error();
  return read_responses_request(*std::move(parsed), {}, caller);
}

std::vector<std::pair<std::string, std::string>> conversation(const ApiRequest& request) {
  std::vector<std::pair<std::string, std::string>> said;
  for (const auto& message : std::get<std::vector<ChatMessage>>(request.requests.front().prompt)) {
    said.emplace_back(message.role, message.content);
  }
  return said;
}

using Said = std::vector<std::pair<std::string, std::string>>;

RequestOutput output_of(const std::string& text, FinishReason reason = FinishReason::kStop) {
  std::vector<TokenId> ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return {.outputs = {{.text = text, .token_ids = std::move(ids), .finish_reason = reason}},
          .num_prompt_tokens = 7,
          .num_cached_tokens = 4};
}

// The events of a stream, each with the name on its line held against its type.
std::vector<json> parse_events(const std::string& events) {
  std::vector<json> parsed;
  for (std::size_t at = 0; (at = events.find("event: ", at)) != std::string::npos;) {
    const std::size_t line = events.find('\n', at);
    const std::string name = events.substr(at + 7, line - at - 7);
    const std::size_t end = events.find("\n\n", line);
    parsed.push_back(json::parse(events.substr(line + 7, end - line - 7)));
    EXPECT_EQ(parsed.back()["type"], name);
    at = end;
  }
  return parsed;
}

TEST(ResponsesRequestTest, ItemsAndInstructionsBecomeTheMessagesOfAChat) {
  const auto request = read(
      {{"instructions", "Be kind."},
       {"max_output_tokens", 5},
       {"input",
        {{{"role", "developer"}, {"content", "Be short."}},
         {{"type", "message"},
          {"role", "user"},
          {"content",
           {{{"type", "input_text"}, {"text", "a"}}, {{"type", "input_text"}, {"text", "b"}}}}},
         {{"type", "reasoning"}, {"id", "rs_1"}, {"summary", json::array()}},
         {{"type", "message"},
          {"id", "msg_1"},
          {"status", "completed"},
          {"role", "assistant"},
          {"content", {{{"type", "output_text"}, {"text", "c"}, {"annotations", json::array()}}}}},
         {{"role", "user"}, {"content", "d"}}}}});
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(
      conversation(*request),
      (Said{
          {"system", "Be kind.\n\nBe short."}, {"user", "ab"}, {"assistant", "c"}, {"user", "d"}}));
  EXPECT_EQ(request->requests.front().params.max_tokens, 5);
}

TEST(ResponsesRequestTest, WhatIsNotHereIsRefusedByName) {
  const json image = {
      {{"role", "user"}, {"content", {{{"type", "input_image"}, {"image_url", "x"}}}}}};
  for (const auto& [field, value] : std::vector<std::pair<std::string, json>>{
           {"tools", {{{"type", "web_search"}}}},
           {"tool_choice", "required"},
           {"background", true},
           {"conversation", "conv_1"},
           {"prompt", {{"id", "p"}}},
           {"max_tool_calls", 1},
           {"truncation", "auto"},
           {"reasoning", {{"effort", "endless"}}},
           {"reasoning", {{"context", "auto"}}},
           {"text", {{"format", {{"type", "grammar"}}}}},
           {"text", {{"format", {{"type", "json_schema"}, {"name", "x"}}}}},
           {"include", {"file_search_call.results"}},
           {"max_output_tokens", 0},
           {"max_output_tokens", 1.5},
           {"top_logprobs", 21},
           {"metadata", {{"a", 1}}},
           {"store", "yes"},
           {"max_tokens", 5},
           {"n", 2},
           {"nonsense", 1},
           {"input", image},
           {"input", {{{"type", "function_call_output"}, {"call_id", "c"}, {"output", "o"}}}},
           {"input", {{{"type", "item_reference"}, {"id", "msg_1"}}}},
           {"input", 3},
           {"input", json::array()}}) {
    json body = {{"input", "a"}};
    body[field] = value;
    const auto request = read(body);
    ASSERT_FALSE(request) << field << value;
    EXPECT_EQ(field_at_fault(request.error().message(), body), field) << request.error().message();
  }
}

TEST(ResponsesRequestTest, FieldsThatClientsAlwaysSendChangeNothing) {
  const auto request = read({{"input", "a"},
                             {"tools", json::array()},
                             {"tool_choice", "auto"},
                             {"background", false},
                             {"conversation", nullptr},
                             {"truncation", "disabled"},
                             {"reasoning", json::object()},
                             {"text", {{"format", {{"type", "text"}}}}},
                             {"metadata", {{"k", "v"}}},
                             {"user", "u"},
                             {"parallel_tool_calls", true},
                             {"service_tier", "auto"}});
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->response->echo["metadata"], (json{{"k", "v"}}));
}

TEST(ResponsesAnswerTest, EventsOfAStreamComeInOrderAndAddUpToTheWhole) {
  const auto request = read({{"input", "a"}, {"stream", true}, {"temperature", 0.5}});
  ASSERT_TRUE(request) << request.error().message();
  const auto answer = make_responses_answer(*request, {}, {.id = "1", .model = "m", .created = 9});
  const RequestOutput output = output_of("Hello", FinishReason::kLength);
  std::string text = answer->begin();
  text += answer->delta(0, {.text = "Hel"});
  text += answer->delta(0, {.kind = PartKind::kToolCall, .text = "1+1"});
  text += answer->delta(0, {.text = "lo", .finish_reason = FinishReason::kLength});
  text += answer->end({output});
  const std::vector<json> events = parse_events(text);
  std::vector<std::string> types;
  std::string said;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i]["sequence_number"], i);
    types.push_back(events[i]["type"].get<std::string>().substr(9));
    said += events[i].value("delta", "");
  }
  EXPECT_EQ(types,
            (std::vector<std::string>{"created",
                                      "in_progress",
                                      "output_item.added",
                                      "content_part.added",
                                      "output_text.delta",
                                      "output_text.delta",
                                      "output_text.done",
                                      "content_part.done",
                                      "output_item.done",
                                      "incomplete"}));
  const json whole =
      json::parse(make_responses_answer(*request, {}, {.id = "1", .model = "m", .created = 9})
                      ->whole({output}));
  EXPECT_EQ(events.back()["response"], whole);
  EXPECT_EQ(whole["output"][0]["content"][0]["text"], said);
  EXPECT_EQ(events[6]["text"], said);
  EXPECT_EQ(whole["status"], "incomplete");
  EXPECT_EQ(whole["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(whole["temperature"], 0.5);
  EXPECT_EQ(whole["usage"],
            (json{{"input_tokens", 7},
                  {"input_tokens_details", {{"cached_tokens", 4}}},
                  {"output_tokens", 5},
                  {"output_tokens_details", {{"reasoning_tokens", 0}}},
                  {"total_tokens", 12}}));
}

TEST(ResponsesAnswerTest, AFailureIsAResponseThatFailed) {
  const auto request = read({{"input", "a"}, {"stream", true}});
  ASSERT_TRUE(request);
  const auto answer = make_responses_answer(*request, {}, {.id = "1"});
  answer->begin();
  const auto events = parse_events(answer->failure({.status = 500, .message = "no luck"}));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["type"], "response.failed");
  EXPECT_EQ(events[0]["sequence_number"], 2);
  EXPECT_EQ(events[0]["response"]["error"]["message"], "no luck");
}

TEST(ResponsesAnswerTest, ThoughtsAreAnItemOfTheirOwn) {
  const auto request = read({{"input", "a"}, {"stream", true}});
  ASSERT_TRUE(request);
  const ReasoningMarkers markers{.open = "<t>", .close = "</t>", .open_id = 300, .close_id = '>'};
  const AnswerContext context{.id = "1", .reading = {.reasoning = markers, .in_reasoning = true}};
  const auto answer = make_responses_answer(*request, {}, context);
  const RequestOutput output = output_of("why</t>\nso");
  std::string text = answer->begin();
  for (const char c : output.outputs[0].text) text += answer->delta(0, {.text = std::string(1, c)});
  text += answer->end({output});
  const auto events = parse_events(text);
  const json response = events.back()["response"];
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "why");
  EXPECT_EQ(response["output"][1]["content"][0]["text"], "so");
  EXPECT_EQ(response["usage"]["output_tokens_details"]["reasoning_tokens"], 7);
  std::string thoughts;
  for (const json& event : events) {
    if (event["type"] == "response.reasoning_text.delta") thoughts += event["delta"];
    const bool says = event["type"] == "response.output_text.delta";
    EXPECT_TRUE(!says || event["output_index"] == 1) << event;
  }
  EXPECT_EQ(thoughts, "why");
}

TEST(ResponseStoreTest, WhatIsChainedGoesOnFromTheAnswerAndNotFromItsInstructions) {
  ResponseStore store(10, 100'000);
  const Caller caller{.responses = &store, .owner = "me"};
  const auto first = read({{"input", "one"}, {"instructions", "old"}}, caller);
  ASSERT_TRUE(first);
  const ByteTokenizer tokenizer;
  make_responses_answer(
      *first, {}, {.id = "1", .tokenizer = &tokenizer, .prompt = {.text = "P", .ids = {'P'}}})
      ->whole({output_of("two")});
  const json next = {
      {"input", "three"}, {"instructions", "new"}, {"previous_response_id", "resp_1"}};
  const auto second = read(next, caller);
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(conversation(*second),
            (Said{{"system", "new"}, {"user", "one"}, {"assistant", "two"}, {"user", "three"}}));
  EXPECT_EQ(second->response->previous->start.text, "Ptwo");
  EXPECT_EQ(second->response->previous->start.ids, (std::vector<TokenId>{'P', 't', 'w', 'o'}));
  const auto stranger = read(next, {.responses = &store, .owner = "you"});
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code(), StatusCode::kNotFound);
}

TEST(ResponseStoreTest, AResponseThatIsNotToBeStoredIsNot) {
  ResponseStore store(10, 100'000);
  for (const bool keep : {true, false}) {
    const auto request = read({{"input", "a"}, {"store", keep}}, {.responses = &store});
    ASSERT_TRUE(request);
    const std::string id = keep ? "kept" : "not";
    make_responses_answer(*request, {}, {.id = id})->whole({output_of("x")});
    EXPECT_EQ(store.find("resp_" + id, "") != nullptr, keep);
  }
}

std::shared_ptr<StoredResponse> stored(std::size_t size) {
  auto response = std::make_shared<StoredResponse>();
  response->owner = "me";
  response->json = std::string(size, 'x');
  return response;
}

TEST(ResponseStoreTest, TheOldestMakeRoomByCountAndByBytes) {
  ResponseStore few(2, 1'000'000);
  for (const char* id : {"a", "b", "c"}) few.put(id, stored(10));
  EXPECT_EQ(few.find("a", "me"), nullptr);
  EXPECT_NE(few.find("b", "me"), nullptr);
  ResponseStore small(100, 2 * stored(5000)->bytes());
  for (const char* id : {"a", "b", "c"}) small.put(id, stored(5000));
  small.put("huge", stored(20'000));  // does not push the others out
  EXPECT_EQ(small.find("a", "me"), nullptr);
  EXPECT_NE(small.find("b", "me"), nullptr);
  EXPECT_NE(small.find("c", "me"), nullptr);
  EXPECT_EQ(small.find("huge", "me"), nullptr);
}

TEST(ResponseStoreTest, OnlyItsOwnerSeesAndErasesAResponse) {
  ResponseStore store(10, 1'000'000);
  store.put("a", stored(10));
  EXPECT_EQ(store.find("a", "you"), nullptr);
  EXPECT_FALSE(store.erase("a", "you"));
  EXPECT_TRUE(store.erase("a", "me"));
  EXPECT_FALSE(store.erase("a", "me"));
}

TEST(ResponseItemsTest, PagesOfInputItemsAddUpInEitherOrder) {
  StoredResponse response;
  for (int i = 0; i < 5; ++i) {
    response.input_items.push_back(json{{"id", "m" + std::to_string(i)}}.dump());
  }
  std::string ids;
  std::string after;
  bool more = true;
  while (more) {
    const auto page = list_input_items(response, "order=asc&limit=2" + after);
    ASSERT_TRUE(page) << page.error().message();
    const json shown = json::parse(*page);
    for (const json& item : shown["data"]) ids += item["id"];
    after = "&after=" + shown["last_id"].get<std::string>();
    more = shown["has_more"].get<bool>();
  }
  EXPECT_EQ(ids, "m0m1m2m3m4");
  EXPECT_EQ(json::parse(*list_input_items(response, ""))["data"][0]["id"], "m4");
  for (const char* wrong : {"limit=0", "limit=101", "limit=x", "order=up", "after=m9", "x=1"}) {
    EXPECT_FALSE(list_input_items(response, wrong)) << wrong;
  }
}

}  // namespace
}  // namespace quire::openai
