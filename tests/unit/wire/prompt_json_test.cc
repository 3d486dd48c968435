#include "wire/prompt_json.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/raw_json.h"
#include "wire/openai_json.h"
#include "wire/output_json.h"

namespace quire::wire {
namespace {

GenerateRequest parsed(const std::string& line, bool chat = true) {
  PromptLine result = parse_prompt_line(line, chat, {});
  EXPECT_TRUE(result.request) << line << ": " << result.request.error().message();
  return result.request ? *result.request : GenerateRequest{.prompt = std::string()};
}

std::string refusal(const std::string& line) {
  const PromptLine result = parse_prompt_line(line, true, {});
  EXPECT_FALSE(result.request) << line;
  EXPECT_EQ(result.request.error().code(), StatusCode::kInvalidArgument);
  return result.request.error().message();
}

TEST(RawJsonTest, FieldsKeepTheirTextWhateverIsInThem) {
  const std::string text =
      R"( { "a" : 123456789012345678901234567890 , "b\u0063":[1, {"x":"}]\"\\"}] ,)"
      R"("s":"a,b:{", "e":{},"t":true} )";
  const auto fields = raw_fields(text);
  ASSERT_EQ(fields.size(), 5U);
  EXPECT_EQ(fields[0].second, "123456789012345678901234567890");
  EXPECT_EQ(fields[1].first, "bc");
  EXPECT_EQ(fields[1].second, R"([1, {"x":"}]\"\\"}])");
  EXPECT_EQ(fields[2].second, R"("a,b:{")");
  EXPECT_EQ(fields[4].second, "true");
  EXPECT_EQ(raw_items(R"([ 1.50 ,"a]", [], {"b":2}])"),
            (std::vector<std::string_view>{"1.50", R"("a]")", "[]", R"({"b":2})"}));
  EXPECT_EQ(raw_object_without(text, {"a", "bc", "e"}), R"({"s":"a,b:{","t":true})");
  EXPECT_TRUE(raw_items("[]").empty() && raw_fields("{}").empty());
}

TEST(PromptLineTest, AnIntegerMayBeWrittenAsAFloatAndBeOfAnySize) {
  constexpr int kMost = std::numeric_limits<int>::max();
  EXPECT_EQ(parsed(R"({"prompt":"a","max_tokens":6.0})").params.max_tokens, 6);
  EXPECT_EQ(parsed(R"({"prompt":"a","max_tokens":6e1})").params.max_tokens, 60);
  for (const char* big : {"2147483648",
                          "9223372036854775808",
                          "18446744073709551616",
                          "123456789012345678901234567890",
                          "1e300"}) {
    const std::string line = R"({"prompt":"a","max_tokens":)" + std::string(big) + "}";
    EXPECT_EQ(parsed(line).params.max_tokens, kMost) << big;
  }
  EXPECT_EQ(parsed(R"({"prompt":"a","top_k":-1e300})").params.top_k,
            std::numeric_limits<int>::min());
  EXPECT_EQ(std::get<std::vector<TokenId>>(parsed(R"({"token_ids":[1.0,2,3e0]})").prompt),
            (std::vector<TokenId>{1, 2, 3}));
  for (const char* wrong : {"6.5", "\"6\"", "true", "[6]"}) {
    const std::string value(wrong);
    EXPECT_NE(refusal(R"({"prompt":"a","max_tokens":)" + value + "}").find("an integer"),
              std::string::npos);
    EXPECT_NE(refusal(R"({"token_ids":[)" + value + "]}").find("token ids"), std::string::npos);
  }
  EXPECT_NE(refusal(R"({"token_ids":[99999999999]})").find("99999999999"), std::string::npos);
}

TEST(PromptLineTest, ASeedOfAnySizeIsTakenModulo2To64) {
  const std::vector<std::pair<std::string, std::uint64_t>> seeds = {
      {"7", 7},
      {"7.0", 7},
      {"-1", ~std::uint64_t{0}},
      {"18446744073709551615", ~std::uint64_t{0}},
      {"18446744073709551621", 5},
      {"340282366920938463463374607431768211461", 5},
      {"-340282366920938463463374607431768211455", 1}};
  for (const auto& [text, seed] : seeds) {
    EXPECT_EQ(parsed(R"({"prompt":"a","seed":)" + text + "}").params.seed, seed) << text;
  }
  EXPECT_NE(refusal(R"({"prompt":"a","seed":1.5})").find("seed"), std::string::npos);
}

TEST(PromptLineTest, WhatATemplateGetsKeepsItsDigitsAndItsOrder) {
  const GenerateRequest request = parsed(
      R"({"messages":[{"role":"assistant","z":1,"a":{"y":12345678901234567890123,"b":1.50}},)"
      R"({"role":"user","content":[{"type":"text","text":"hi"}]}],)"
      R"("tools":[{"z":1,"a":2.0}],"chat_template_kwargs":{"enable_thinking":false,"a":1}})");
  const auto& messages = std::get<std::vector<ChatMessage>>(request.prompt);
  EXPECT_EQ(messages[0].extra_json, R"({"z":1,"a":{"y":12345678901234567890123,"b":1.50}})");
  EXPECT_EQ(messages[1].extra_json, R"({"content":[{"type":"text","text":"hi"}]})");
  EXPECT_EQ(request.tools_json, R"([{"z":1,"a":2.0}])");
  EXPECT_EQ(request.template_context_json, R"({"enable_thinking":false,"a":1})");
  EXPECT_EQ(parsed(R"({"prompt":"a","tools":[{}],"tool_choice":"none"})").tools_json, "");
  EXPECT_EQ(parsed(R"({"prompt":"a","tools":[]})").tools_json, "");
}

TEST(PromptLineTest, AnIdComesBackAsItCameWithAnErrorToo) {
  for (const std::string id :
       {"\"r1\"", "1.50", "123456789012345678901234567890", "{\"b\": [1],\"a\":null}", "null"}) {
    const PromptLine good = parse_prompt_line("{\"id\" : " + id + ",\"prompt\":\"a\"}", true, {});
    EXPECT_TRUE(good.request);
    EXPECT_EQ(good.id_json, id);
    const PromptLine bad =
        parse_prompt_line("{\"id\":" + id + ",\"no\":1,\"prompt\":\"a\"}", true, {});
    EXPECT_FALSE(bad.request);
    RequestOutput output;
    output.error = bad.request.error();
    EXPECT_TRUE(output_json(3, bad.id_json, output).starts_with("{\"index\":3,\"id\":" + id + ","));
  }
}

TEST(PromptLineTest, AChoiceOfToolsIsReadOnceTheToolsAreKnown) {
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f"}},)"
                            R"({"type":"function","function":{"name":"g"}}])";
  const auto choice = [&](const std::string& value) {
    return parsed(R"({"prompt":"a","tool_choice":)" + value + "," + tools + "}").tool_choice;
  };
  EXPECT_FALSE(choice(R"("auto")").required);
  EXPECT_TRUE(choice(R"("required")").required);
  EXPECT_EQ(choice(R"("required")").function, "");
  EXPECT_EQ(choice(R"({"type":"function","function":{"name":"g"}})").function, "g");
  const GenerateRequest allowed = parsed(
      R"({"prompt":"a","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required",)"
      R"("tools":[{"type":"function","function":{"name":"g"}}]}},)" +
      tools + "}");
  EXPECT_EQ(allowed.tools_json, R"([{"type":"function","function":{"name":"g"}}])");
  EXPECT_EQ(allowed.tool_choice.function, "g");
  EXPECT_FALSE(parsed(R"({"prompt":"a","parallel_tool_calls":false})").tool_choice.parallel);
}

TEST(PromptLineTest, AnEffortOfThoughtsGoesToTheTemplateAndNoneAllowsNone) {
  const auto effort = [](const std::string& fields) {
    const PromptLine line = parse_prompt_line(
        R"({"custom_id":"1","body":{"messages":[{"role":"user","content":"a"}],)" + fields + "}}",
        true,
        {});
    EXPECT_TRUE(line.request) << line.request.error().message();
    return line.request ? *line.request : GenerateRequest{};
  };
  const GenerateRequest high = effort(R"("reasoning_effort":"high")");
  EXPECT_EQ(high.template_context_json, R"({"enable_thinking":true,"reasoning_effort":"high"})");
  EXPECT_FALSE(high.params.max_reasoning_tokens);
  const GenerateRequest none =
      effort(R"("reasoning_effort":"none","chat_template_kwargs":{"a":1.50})");
  EXPECT_EQ(none.template_context_json,
            R"({"enable_thinking":false,"reasoning_effort":"none","a":1.50})");
  EXPECT_EQ(none.params.max_reasoning_tokens, 0);
  const GenerateRequest own =
      effort(R"("reasoning_effort":"low","chat_template_kwargs":{"enable_thinking":false})");
  EXPECT_EQ(own.template_context_json, R"({"reasoning_effort":"low","enable_thinking":false})");
  EXPECT_EQ(effort(R"("max_reasoning_tokens":7)").params.max_reasoning_tokens, 7);
}

TEST(PromptLineTest, WhatIsNotDoneIsRefusedWithWhatToDo) {
  EXPECT_NE(refusal(R"({"prompt":"a","structured_outputs":{"lark":"x"}})").find("leave it"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"prompt":"a","grammar":"x","guided_regex":"y"})").find("beside"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"prompt":"a","tools":[{}],"tool_choice":"required"})").find("tool_choice"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"prompt":"a","temprature":1})").find("temprature"), std::string::npos);
  parsed(R"({"prompt":"a","response_format":{"type":"text"},"tools":null})");
}

TEST(PromptLineTest, StructuredOutputIsReadFromEveryFieldThatNamesIt) {
  using Kind = StructuredOutput::Kind;
  const auto read = [](const std::string& field) {
    return parsed(R"({"prompt":"a",)" + field + "}").params.structured_output;
  };
  // The order of a schema's properties is the answer's, so its text is kept.
  const std::string schema = R"({"properties":{"b":{},"a":{}}})";
  for (const std::string& field : {R"("guided_json":)" + schema,
                                   R"("json_schema": )" + schema,
                                   R"("structured_outputs":{"json":)" + schema + "}",
                                   R"("response_format":{"type":"json_schema","json_schema":)"
                                   R"({"name":"x","strict":true,"schema":)" +
                                       schema + "}}"}) {
    EXPECT_EQ(read(field).kind, Kind::kJsonSchema) << field;
    EXPECT_EQ(read(field).text, schema) << field;
  }
  EXPECT_EQ(read(R"("response_format":{"type":"json_object"})").kind, Kind::kJsonObject);
  EXPECT_EQ(read(R"("guided_regex":"a+")").text, "a+");
  EXPECT_EQ(read(R"("structured_outputs":{"choice":["x","y"],"json":null})").choices.size(), 2U);
  EXPECT_EQ(read(R"("grammar":"root ::= \"a\"")").text, "root ::= \"a\"");
}

TEST(BatchLineTest, OpenAisNamesMeanWhatTheyMeanThere) {
  const PromptLine line = parse_prompt_line(
      R"({"custom_id":"r-1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt",)"
      R"("messages":[{"role":"user","content":"hi"}],"max_completion_tokens":9,"max_tokens":3,)"
      R"("logprobs":true,"top_logprobs":2,"n":2,"stop":"x","user":"u","metadata":{"a":"b"},)"
      R"("stream":false,"seed":1,"top_k":5}})",
      false,
      {});
  ASSERT_TRUE(line.request) << line.request.error().message();
  EXPECT_EQ(line.form, LineForm::kOpenAiChat);
  EXPECT_EQ(line.id_json, "\"r-1\"");
  EXPECT_EQ(line.model, "gpt");
  const SamplingParams& params = line.request->params;
  EXPECT_EQ(params.max_tokens, 9);
  EXPECT_EQ(params.logprobs, 2);
  EXPECT_EQ(params.n, 2);
  EXPECT_EQ(params.top_k, 5) << "vLLM's fields beside them";
}

TEST(BatchLineTest, CompletionsTakeATextOrIdsAndNoTemplate) {
  const std::string head = R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":)";
  const auto prompt = [&](const std::string& text) {
    const PromptLine line = parse_prompt_line(head + "{\"prompt\":" + text + "}}", true, {});
    EXPECT_TRUE(line.request) << line.request.error().message();
    EXPECT_EQ(line.form, LineForm::kOpenAiCompletion);
    return line.request->prompt;
  };
  EXPECT_EQ(std::get<std::string>(prompt("\"a\"")), "a");
  EXPECT_EQ(std::get<std::string>(prompt("[\"a\"]")), "a");
  EXPECT_EQ(std::get<std::vector<TokenId>>(prompt("[1,2]")), (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(std::get<std::vector<TokenId>>(prompt("[[1,2]]")), (std::vector<TokenId>{1, 2}));
  EXPECT_NE(refusal(head + R"({"prompt":["a","b"]}})").find("line of its own"), std::string::npos);
  EXPECT_NE(refusal(head + R"({"prompt":"a","echo":true}})").find("echo"), std::string::npos);
}

TEST(BatchLineTest, ALineThatIsWrongKeepsItsCustomIdInItsAnswer) {
  const std::vector<std::string> wrong = {
      R"({"custom_id":"x","url":"/v1/embeddings","body":{"input":"a"}})",
      R"({"custom_id":"x","body":{"messages":[]}})",
      R"({"custom_id":"x","body":{"messages":[{"role":"user","content":"a"}],"stream":true}})",
      R"({"custom_id":"x","body":[]})",
      R"({"custom_id":"x"})"};
  for (const std::string& text : wrong) {
    const PromptLine line = parse_prompt_line(text, true, {});
    ASSERT_FALSE(line.request) << text;
    RequestOutput output;
    output.error = line.request.error();
    const auto json = nlohmann::json::parse(openai_batch_json(4, line, output, {}));
    EXPECT_EQ(json["custom_id"], "x");
    EXPECT_EQ(json["response"]["status_code"], 400);
    EXPECT_EQ(json["response"]["body"]["error"]["type"], "invalid_request_error");
    EXPECT_TRUE(json["error"].is_null());
  }
}

}  // namespace
}  // namespace quire::wire
