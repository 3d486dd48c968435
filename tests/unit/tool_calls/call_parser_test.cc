#include "tool_calls/call_parser.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "unit/tool_calls/call_cases.h"

namespace quire::tool_calls {
namespace {

std::string shown(const Answer& answer) {
  std::string text = "content: " + answer.content;
  for (const Call& call : answer.calls) text += "\ncall: " + call.name + " " + call.arguments;
  return text;
}

Answer parse_in_pieces(const Case& c, const std::vector<std::size_t>& cuts) {
  CallParser parser(c.format, &functions());
  Collector collector;
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    collector.add(parser.feed(std::string_view(c.text).substr(begin, cut - begin)));
    begin = cut;
  }
  collector.add(parser.feed(std::string_view(c.text).substr(begin)));
  collector.add(parser.finish());
  return collector.answer();
}

TEST(CallParserTest, CallsAreReadAndWhatIsNoneIsContent) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(std::string(format_name(c.format)) + ": " + c.what);
    EXPECT_EQ(shown(parse_answer(c.format, functions(), c.text)),
              shown({.content = c.content, .calls = c.calls}));
  }
}

TEST(CallParserTest, AnswersAreTheSameWhereverTheirTextIsCut) {
  const char* const given = std::getenv("QUIRE_SEED");
  const unsigned long seed = given == nullptr ? std::random_device()() : std::stoul(given);
  std::mt19937_64 random(seed);
  for (const Case& c : all_cases()) {
    SCOPED_TRACE("QUIRE_SEED=" + std::to_string(seed) + ", " + std::string(format_name(c.format)) +
                 ": " + c.what);
    const std::string expected = shown({.content = c.content, .calls = c.calls});
    std::vector<std::size_t> every;
    for (std::size_t i = 1; i < c.text.size(); ++i) {
      every.push_back(i);
      ASSERT_EQ(shown(parse_in_pieces(c, {i})), expected) << "cut at " << i;
    }
    ASSERT_EQ(shown(parse_in_pieces(c, every)), expected) << "byte by byte";
    for (int round = 0; round < 20; ++round) {
      std::vector<std::size_t> cuts;
      for (const std::size_t at : every) {
        if (random() % 5 == 0) cuts.push_back(at);
      }
      ASSERT_EQ(shown(parse_in_pieces(c, cuts)), expected) << "round " << round;
    }
  }
}

TEST(CallParserTest, ArgumentsComeWhileTheyAreWritten) {
  CallParser parser(Format::kHermes, &functions());
  EXPECT_TRUE(parser.feed("<tool_call>\n{\"name\": \"weather\"").empty());
  const Events begun = parser.feed(", \"arguments\": {\"city\": \"Pa");
  EXPECT_EQ(
      begun,
      (Events{{Event::Kind::kBegin, "weather"}, {Event::Kind::kArguments, "{\"city\": \"Pa"}}));
  EXPECT_EQ(parser.feed("ris\""), (Events{{Event::Kind::kArguments, "ris\""}}));
  EXPECT_EQ(parser.feed("}"), (Events{{Event::Kind::kArguments, "}"}}));
  EXPECT_EQ(parser.feed("}\n</tool"), (Events{{Event::Kind::kEnd, ""}}));
  EXPECT_TRUE(parser.feed("_call>").empty());
  EXPECT_TRUE(parser.finish().empty());
}

// Nobody may run a call that the model did not finish.
TEST(CallParserTest, WhatIsToldOfABrokenCallIsNoJson) {
  CallParser parser(Format::kHermes, &functions());
  Events events = parser.feed(R"(<tool_call>{"name": "add", "arguments": {"a": 1, "a": 2)");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1], (Event{Event::Kind::kArguments, R"({"a": 1, "a": 2)"}));
  events = parser.feed("}}");
  ASSERT_EQ(events.front(), (Event{Event::Kind::kBroken, ""}));
}

TEST(CallParserTest, AMillionOpenersTakeNoTime) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += R"(<tool_call>{"name": ")";
  CallParser parser(Format::kHermes, &functions());
  Collector collector;
  for (std::size_t i = 0; i < text.size(); i += 7) {
    collector.add(parser.feed(std::string_view(text).substr(i, 7)));
  }
  collector.add(parser.finish());
  EXPECT_EQ(collector.answer().content, text);
}

TEST(CallParserTest, ACallLongerThanTheLimitIsContent) {
  const std::string text = R"(<tool_call>{"name": "weather", "arguments": {"city": ")" +
                           std::string(2000, 'x') + R"("}}</tool_call>)";
  for (const std::size_t piece : {text.size(), std::size_t{1}, std::size_t{100}}) {
    CallParser parser(Format::kHermes, &functions(), {.call_bytes = 1000});
    Collector collector;
    for (std::size_t i = 0; i < text.size(); i += piece) {
      collector.add(parser.feed(std::string_view(text).substr(i, piece)));
    }
    collector.add(parser.finish());
    EXPECT_EQ(shown(collector.answer()), shown({.content = text, .calls = {}}));
  }
}

TEST(CallParserTest, TheOneToolOfNanochatTakesTheTextBetweenTheMarkers) {
  const FunctionList python = *FunctionList::parse(R"([{"type": "function", "function": {"name":
    "python", "parameters": {"type": "object", "properties": {"code": {"type": "string"}}}}}])");
  const Answer answer =
      parse_answer(Format::kNanochat, python, "It is <|python_start|>2 + \"3\"<|python_end|>5.");
  EXPECT_EQ(shown(answer), "content: It is5.\ncall: python {\"code\": \"2 + \\\"3\\\"\"}");
}

TEST(FormatTest, NamesAreFoundAgain) {
  for (const Format format : {Format::kNone,
                              Format::kHermes,
                              Format::kQwenXml,
                              Format::kLlama,
                              Format::kMistral,
                              Format::kMistralArgs,
                              Format::kGemma,
                              Format::kFunctionGemma,
                              Format::kNanochat,
                              Format::kJson}) {
    EXPECT_EQ(format_of_name(format_name(format)), format);
  }
  EXPECT_FALSE(format_of_name("auto"));
}

TEST(FormatTest, ACallThatIsBegunForTheModelIsOneWhenItIsFinished) {
  for (const auto& [format, rest] : std::vector<std::pair<Format, std::string>>{
           {Format::kHermes, " {\"a\": 1, \"b\": 2}}"},
           {Format::kQwenXml, "<parameter=a>1</parameter><parameter=b>2</parameter></function>"},
           {Format::kLlama, " {\"a\": 1, \"b\": 2}}"},
           {Format::kMistral, " {\"a\": 1, \"b\": 2}}]"},
           {Format::kMistralArgs, "{\"a\": 1, \"b\": 2}"},
           {Format::kGemma, " {\"a\": 1, \"b\": 2}}"},
           {Format::kFunctionGemma, "a:1,b:2}"},
           {Format::kJson, " {\"a\": 1, \"b\": 2}}"}}) {
    const Answer answer = parse_answer(format, functions(), call_start(format, "add") + rest);
    ASSERT_EQ(answer.calls.size(), 1U) << format_name(format);
    EXPECT_EQ(answer.calls[0].name, "add") << format_name(format);
    EXPECT_EQ(answer.calls[0].arguments, R"({"a": 1, "b": 2})") << format_name(format);
    EXPECT_EQ(answer.content, "") << format_name(format);
    EXPECT_TRUE(call_start(format, "add").starts_with(call_start(format))) << format_name(format);
  }
}

}  // namespace
}  // namespace quire::tool_calls
