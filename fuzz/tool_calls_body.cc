#include <array>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "fuzz/fuzz_bodies.h"
#include "tool_calls/call_parser.h"

namespace quire::fuzz {
namespace {

using tool_calls::Format;

// Of every kind of parameter, and one that takes a text alone.
constexpr std::array<std::string_view, 2> kTools = {
    R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
         "properties": {"a": {"type": "string"}, "b": {"type": "integer"},
                        "c": {"type": ["string", "null"]}}}}},
        {"type": "function", "function": {"name": "g"}}])",
    R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
         "properties": {"a": {"type": "string"}}}}}])"};

constexpr std::array kFormats = {Format::kNone,
                                 Format::kHermes,
                                 Format::kQwenXml,
                                 Format::kLlama,
                                 Format::kMistral,
                                 Format::kGemma,
                                 Format::kFunctionGemma,
                                 Format::kNanochat,
                                 Format::kJson};

tool_calls::Answer parse(Format format,
                         const tool_calls::FunctionList& functions,
                         std::string_view text,
                         std::size_t piece) {
  tool_calls::CallParser parser(format, &functions, {.call_bytes = 4096, .broken_calls = 8});
  tool_calls::Collector collector;
  for (std::size_t i = 0; i < text.size(); i += piece) {
    collector.add(parser.feed(text.substr(i, piece)));
  }
  collector.add(parser.finish());
  return collector.answer();
}

}  // namespace

void tool_calls(std::string_view input) {
  if (input.size() < 2) return;
  const Format format = kFormats[static_cast<unsigned char>(input[0]) % kFormats.size()];
  const std::size_t piece = static_cast<unsigned char>(input[1]) % 16 + 1;
  const std::string_view text = input.substr(2);
  for (const std::string_view tools : kTools) {
    const auto functions = tool_calls::FunctionList::parse(tools);
    QUIRE_CHECK(functions.has_value(), "the tools are good");
    const tool_calls::Answer whole = parse(format, *functions, text, text.size() + 1);
    QUIRE_CHECK(whole == parse(format, *functions, text, piece), "wherever the text is cut");
    QUIRE_CHECK(whole == parse(format, *functions, text, 1), "byte by byte, too");
    if (whole.calls.empty()) QUIRE_CHECK(whole.content == text, "what is no call is content");
    for (const tool_calls::Call& call : whole.calls) {
      QUIRE_CHECK(functions->find(call.name) != nullptr, "a function of the list");
      const auto arguments = parse_json(call.arguments, "the arguments");
      QUIRE_CHECK(arguments && arguments->is_object(), "arguments are an object");
    }
  }
}

}  // namespace quire::fuzz
