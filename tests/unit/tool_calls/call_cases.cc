#include "unit/tool_calls/call_cases.h"

#include <string>
#include <utility>
#include <vector>

namespace quire::tool_calls {

const FunctionList& functions() {
  static const FunctionList list = *FunctionList::parse(R"([
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
      "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                     "tags": {"type": "array"}, "note": {"type": ["string", "null"]}}}}},
    {"type": "function", "function": {"name": "add", "parameters": {"type": "object",
      "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}}},
    {"type": "function", "function": {"name": "now"}}])");
  return list;
}

namespace {

// A text that is no call, however much it looks like one.
Case no_call(std::string what, Format format, const std::string& text) {
  return {std::move(what), format, text, text, {}};
}

const Call kParis = {"weather", R"({"city": "Paris"})"};
const Call kSum = {"add", R"({"a": 1, "b": 2})"};

std::vector<Case> hermes() {
  const auto format = Format::kHermes;
  const std::string paris = R"({"name": "weather", "arguments": {"city": "Paris"}})";
  const std::string sum = R"({"name": "add", "arguments": {"a": 1, "b": 2}})";
  return {
      {"as the template writes it",
       format,
       "<tool_call>\n" + paris + "\n</tool_call>",
       "",
       {kParis}},
      {"text before, between and behind",
       format,
       "Let me see.\n\n<tool_call>\n" + paris + "\n</tool_call>\nAnd:\n<tool_call>" + sum +
           "</tool_call>\nDone.",
       "Let me see.\nAnd:\nDone.",
       {kParis, kSum}},
      {"several in several tags",
       format,
       "<tool_call>\n" + paris + "\n</tool_call>\n<tool_call>\n" + sum + "\n</tool_call>",
       "",
       {kParis, kSum}},
      {"several in one tag",
       format,
       "<tool_call>" + paris + "\n" + sum + "</tool_call>",
       "",
       {kParis, kSum}},
      {"a list in a tag",
       format,
       "<tool_call>[" + paris + ", " + sum + "]</tool_call>",
       "",
       {kParis, kSum}},
      {"no end marker", format, "<tool_call>\n" + paris, "", {kParis}},
      {"arguments first",
       format,
       R"(<tool_call>{"arguments": {"city": "Paris"}, "name": "weather"}</tool_call>)",
       "",
       {kParis}},
      {"an id beside them",
       format,
       R"(<tool_call>{"id": "x7", "name": "add", )"
       R"("arguments": {"a": 1, "b": 2}, "k": 0.5}</tool_call>)",
       "",
       {kSum}},
      {"arguments in a string",
       format,
       R"(<tool_call>{"name": "weather", "arguments": "{\"city\": \"Paris\"}"}</tool_call>)",
       "",
       {kParis}},
      {"no arguments", format, R"(<tool_call>{"name": "now"}</tool_call>)", "", {{"now", "{}"}}},
      {"arguments of null",
       format,
       R"(<tool_call>{"name": "now", "arguments": null}</tool_call>)",
       "",
       {{"now", "{}"}}},
  };
}

std::vector<Case> hermes_texts() {
  const auto format = Format::kHermes;
  const std::string sum = R"({"name": "add", "arguments": {"a": 1, "b": 2}})";
  return {
      {"quotes, brackets and markers within a text",
       format,
       R"(<tool_call>{"name": "weather", "arguments": {"city": "\"}</tool_call>{\\"}}</tool_call>)",
       "",
       {{"weather", R"({"city": "\"}</tool_call>{\\"})"}}},
      {"nested values",
       format,
       R"(<tool_call>{"name": "weather", )"
       R"("arguments": {"tags": [{"a": [1, {}]}, "x"], "days": 3}}</tool_call>)",
       "",
       {{"weather", R"({"tags": [{"a": [1, {}]}, "x"], "days": 3})"}}},
      {"more than one character of UTF-8",
       format,
       "Voilà <tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Zürich "
       "☂\"}}</tool_call>",
       "Voilà",
       {{"weather", "{\"city\": \"Zürich ☂\"}"}}},
      {"a broken one before a good one",
       format,
       "<tool_call>{\"name\": weather}</tool_call> <tool_call>" + sum + "</tool_call>",
       "<tool_call>{\"name\": weather}</tool_call>",
       {kSum}},
      {"an unfinished text with a good one in it",
       format,
       R"(<tool_call>{"name": "weather", "arguments": {"city": "Par}}</tool_call><tool_call>)" +
           sum + "</tool_call>",
       R"(<tool_call>{"name": "weather", "arguments": {"city": "Par}}</tool_call>)",
       {kSum}},
  };
}

std::vector<Case> hermes_broken() {
  const auto format = Format::kHermes;
  return {
      no_call("unfinished", format, R"(<tool_call>{"name": "weather", "arguments": {"city": "Par)"),
      no_call("cut in the name", format, R"(So <tool_call>{"name": "wea)"),
      no_call("cut in the marker", format, "So <tool_c"),
      no_call("an unknown function",
              format,
              R"(<tool_call>{"name": "rm", "arguments": {}}</tool_call>)"),
      no_call("no name", format, R"(<tool_call>{"arguments": {}}</tool_call>)"),
      no_call("an empty object", format, "<tool_call>{}</tool_call>"),
      no_call("a name that is no text", format, R"(<tool_call>{"name": 5}</tool_call>)"),
      no_call("Python's quotes", format, "<tool_call>{'name': 'weather'}</tool_call>"),
      no_call("arguments that are a list",
              format,
              R"(<tool_call>{"name": "now", "arguments": [1]}</tool_call>)"),
      no_call("arguments that are no JSON",
              format,
              R"(<tool_call>{"name": "weather", "arguments": {city: "Paris"}}</tool_call>)"),
      no_call("a key twice",
              format,
              R"(<tool_call>{"name": "add", "arguments": {"a": 1, "a": 2}}</tool_call>)"),
      no_call("brackets that do not fit",
              format,
              R"(<tool_call>{"name": "add", "arguments": {"a": [1}}</tool_call>)"),
      no_call("half of a pair of surrogates",
              format,
              R"(<tool_call>{"name": "weather", "arguments": {"city": "\ud800"}}</tool_call>)"),
      no_call("a tag about nothing", format, "Use <tool_call> and </tool_call> for it.\n"),
      no_call("plain text with blanks at its ends", format, "\n Hello {world} \n\n"),
      no_call("only blanks", format, " \n"),
  };
}

std::vector<Case> qwen_xml() {
  const auto format = Format::kQwenXml;
  return {
      {"as the template writes it",
       format,
       "I look.\n<tool_call>\n<function=weather>\n<parameter=city>\nParis\n</parameter>\n"
       "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
       "I look.",
       {{"weather", R"({"city": "Paris", "days": 3})"}}},
      {"without the outer tag",
       format,
       "<function=add><parameter=a>1</parameter><parameter=b>2.5</parameter></function>",
       "",
       {{"add", R"({"a": 1, "b": 2.5})"}}},
      {"a text of several lines, quotes and tags",
       format,
       "<tool_call>\n<function=weather>\n<parameter=city>\nif a < b:\n  "
       "print(\"</p>\")\n\n</parameter>\n"
       "</function>\n</tool_call>",
       "",
       {{"weather", R"({"city": "if a < b:\n  print(\"</p>\")\n"})"}}},
      {"digits where a text is wanted, a list, and null",
       format,
       "<tool_call><function=weather><parameter=city>75001</parameter><parameter=tags>[\"a\", 1]"
       "</parameter><parameter=note>null</parameter></function></tool_call>",
       "",
       {{"weather", R"({"city": "75001", "tags": ["a", 1], "note": null})"}}},
      {"a parameter that nobody knows, and a number that is none",
       format,
       "<function=add><parameter=x>7</parameter><parameter=a>one</parameter></function>",
       "",
       {{"add", R"({"x": "7", "a": "one"})"}}},
      {"no parameters, twice",
       format,
       "<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n"
       "</function>\n</tool_call>",
       "",
       {{"now", "{}"}, {"now", "{}"}}},
      {"JSON in the tag",
       format,
       R"(<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>)",
       "",
       {kSum}},
      no_call(
          "an unknown function", format, "<tool_call>\n<function=rm>\n</function>\n</tool_call>"),
      no_call("a parameter twice",
              format,
              "<function=add><parameter=a>1</parameter><parameter=a>1</parameter></function>"),
      no_call("cut in a value", format, "<tool_call>\n<function=add>\n<parameter=a>\n1"),
      no_call("cut in a tag", format, "<tool_call>\n<function=add>\n<parameter=a"),
      no_call("text among the parameters", format, "<function=add>well</function>"),
  };
}

std::vector<Case> llama() {
  const auto format = Format::kLlama;
  const std::string paris = R"({"name": "weather", "parameters": {"city": "Paris"}})";
  const std::string sum = R"({"name": "add", "parameters": {"a": 1, "b": 2}})";
  return {
      {"bare", format, paris, "", {kParis}},
      {"bare behind blanks, typed as a function",
       format,
       R"( {"type": "function", "name": "add", "parameters": {"a": 1, "b": 2}})",
       "",
       {kSum}},
      {"behind the tag", format, "<|python_tag|>" + paris, "", {kParis}},
      {"several with semicolons", format, paris + "; " + sum, "", {kParis, kSum}},
      {"several on lines", format, paris + "\n" + sum + "\n", "", {kParis, kSum}},
      {"behind text and the tag", format, "Sure.<|python_tag|>" + sum, "Sure.", {kSum}},
      {"text behind it", format, paris + "\nDone; really.", "Done; really.", {kParis}},
      no_call("an object within text", format, "It is " + paris),
      no_call("an answer that is JSON", format, R"({"city": "Paris", "temperature": [1, 2]})"),
      no_call("code", format, "<|python_tag|>brave_search.call(query=\"x\")"),
      no_call("a bracket", format, "{"),
      no_call("a list", format, "[1, 2]"),
  };
}

std::vector<Case> mistral() {
  const auto format = Format::kMistral;
  return {
      {"a list",
       format,
       R"([TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Paris"}, "id": "D681PevKs"}])",
       "",
       {kParis}},
      {"a list of two",
       format,
       R"([TOOL_CALLS][{"name": "weather", "arguments": {"city": "Paris"}}, )"
       R"({"name": "add", "arguments": {"a": 1, "b": 2}}])",
       "",
       {kParis, kSum}},
      {"the newer form, twice",
       format,
       R"(Well.[TOOL_CALLS]weather[ARGS]{"city": "Paris"})"
       R"([TOOL_CALLS]add[CALL_ID]a1b2c3d4e[ARGS]{"a": 1, "b": 2})",
       "Well.",
       {kParis, kSum}},
      {"the newer form without its second marker",
       format,
       R"([TOOL_CALLS]add{"a": 1, "b": 2})",
       "",
       {kSum}},
      no_call("an empty list", format, "[TOOL_CALLS] []"),
      no_call("an unknown function", format, R"([TOOL_CALLS]rm[ARGS]{"a": 1})"),
      no_call("cut", format, R"([TOOL_CALLS]add[ARGS]{"a": 1)"),
      no_call("nothing", format, "[TOOL_CALLS]"),
      no_call("a long text", format, "[TOOL_CALLS]" + std::string(700, 'x') + "{"),
  };
}

std::vector<Case> gemma() {
  const auto format = Format::kGemma;
  return {
      {"code", format, "```tool_code\nweather(city='Paris')\n```", "", {kParis}},
      {"printed, with every kind of value",
       format,
       "Look:\n```tool_code\nprint(default_api.weather(city=\"a\\n'b'\", days=-3, tags=[True, "
       "None, {'k': 1.5,}],"
       " note='''x\n'y'''))\n```\nSo.",
       "Look:\nSo.",
       {{"weather",
         R"({"city": "a\n'b'", "days": -3, "tags": [true, null, {"k": 1.5}], "note": "x\n'y"})"}}},
      {"two lines, no end",
       format,
       "```tool_code\nnow()\nadd(a=1, b=2)",
       "",
       {{"now", "{}"}, kSum}},
      {"an object in a fence",
       format,
       "```json\n{\"name\": \"weather\", \"parameters\": {\"city\": \"Paris\"}}\n```",
       "",
       {kParis}},
      {"a bare object", format, R"({"name": "add", "parameters": {"a": 1, "b": 2}})", "", {kSum}},
      {"a bare list",
       format,
       R"([{"name": "add", "parameters": {"a": 1, "b": 2}}, {"name": "now", "parameters": {}}])",
       "",
       {kSum, {"now", "{}"}}},
      no_call("JSON that is shown", format, "Here:\n```json\n{\"a\": 1}\n```\n"),
      no_call("an argument without a name", format, "```tool_code\nweather('Paris')\n```"),
      no_call("an expression", format, "```tool_code\nadd(a=1+1, b=2)\n```"),
      no_call("an unknown function", format, "```tool_code\nprint(1)\n```"),
      no_call("nothing in it", format, "```tool_code\n```"),
  };
}

std::vector<Case> functiongemma() {
  const auto format = Format::kFunctionGemma;
  return {
      {"a text",
       format,
       "<start_function_call>call:weather{city:<escape>Paris<escape>}<end_function_call>",
       "",
       {kParis}},
      {"two, with numbers, lists and objects",
       format,
       "<start_function_call>call:add{a:1,b:2}<end_function_call><start_function_call>call:weather{"
       "city:<escape>}, \"x\"<escape>,days:3,tags:[<escape>a<escape>,true,{k:<escape>v<escape>}]}"
       "<end_function_call>",
       "",
       {{"add", R"({"a": 1, "b": 2})"},
        {"weather", R"({"city": "}, \"x\"", "days": 3, "tags": ["a", true, {"k": "v"}]})"}}},
      {"nothing given",
       format,
       "<start_function_call>call:now{}<end_function_call>",
       "",
       {{"now", "{}"}}},
      {"no end marker", format, "<start_function_call>call:add{a:1,b:2}", "", {kSum}},
      no_call("unfinished", format, "<start_function_call>call:weather{city:<escape>Par"),
      no_call("an unknown function", format, "<start_function_call>call:rm{}<end_function_call>"),
      no_call("no call", format, "<start_function_call>weather{}<end_function_call>"),
      no_call(
          "a value left out", format, "<start_function_call>call:add{a:,b:2}<end_function_call>"),
      no_call("a key twice", format, "<start_function_call>call:add{a:1,a:2}<end_function_call>"),
  };
}

std::vector<Case> json_calls() {
  const auto format = Format::kJson;
  return {
      {"bare", format, R"({"name": "weather", "arguments": {"city": "Paris"}})", "", {kParis}},
      {"in a fence",
       format,
       "Now:\n```json\n{\"name\": \"add\", \"parameters\": {\"a\": 1, \"b\": 2}}\n```",
       "Now:",
       {kSum}},
      {"in a tag", format, R"(<tool_call>{"name": "now"}</tool_call>)", "", {{"now", "{}"}}},
      no_call("none", Format::kNone, R"(<tool_call>{"name": "now"}</tool_call>)"),
  };
}

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& some : {hermes(),
                           hermes_texts(),
                           hermes_broken(),
                           qwen_xml(),
                           llama(),
                           mistral(),
                           gemma(),
                           functiongemma(),
                           json_calls()}) {
    cases.insert(cases.end(), some.begin(), some.end());
  }
  return cases;
}

}  // namespace quire::tool_calls
