#include "tool_calls/format.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::tool_calls {
namespace {

constexpr std::array<std::pair<Format, std::string_view>, 10> kNames = {{
    {Format::kNone, "none"},
    {Format::kHermes, "hermes"},
    {Format::kQwenXml, "qwen_xml"},
    {Format::kLlama, "llama"},
    {Format::kMistral, "mistral"},
    {Format::kMistralArgs, "mistral_args"},
    {Format::kGemma, "gemma"},
    {Format::kFunctionGemma, "functiongemma"},
    {Format::kNanochat, "nanochat"},
    {Format::kJson, "json"},
}};

}  // namespace

std::string_view format_name(Format format) {
  for (const auto& [each, name] : kNames) {
    if (each == format) return name;
  }
  return "none";
}

bool is_mistral(Format format) {
  return format == Format::kMistral || format == Format::kMistralArgs;
}

std::optional<Format> format_of_name(std::string_view name) {
  for (const auto& [format, each] : kNames) {
    if (each == name) return format;
  }
  return std::nullopt;
}

std::string format_names() {
  std::string names;
  for (const auto& [format, name] : kNames) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

const Syntax& syntax_of(Format format) {
  static const Syntax nothing;
  // Either of Qwen's is read in both ways: what is in the tag tells.
  static const Syntax tag = {.openers = {"<tool_call>", "<function="}, .closers = {"</tool_call>"}};
  static const Syntax hermes = {.openers = {"<tool_call>"}, .closers = {"</tool_call>"}};
  static const Syntax llama = {.openers = {"<|python_tag|>"}, .closers = {}, .bare = true};
  static const Syntax mistral = {.openers = {"[TOOL_CALLS]"}, .closers = {}};
  static const Syntax gemma = {
      .openers = {"```tool_code", "```tool_call", "```json"}, .closers = {"```"}, .bare = true};
  static const Syntax functiongemma = {.openers = {"<start_function_call>"},
                                       .closers = {"<end_function_call>"}};
  static const Syntax nanochat = {.openers = {"<|python_start|>"}, .closers = {"<|python_end|>"}};
  static const Syntax json = {.openers = {"<tool_call>", "<function_call>", "```json"},
                              .closers = {"</tool_call>", "</function_call>", "```"},
                              .bare = true};
  switch (format) {
    case Format::kNone:
      return nothing;
    case Format::kHermes:
      return hermes;
    case Format::kQwenXml:
      return tag;
    case Format::kLlama:
      return llama;
    case Format::kMistral:
    case Format::kMistralArgs:
      return mistral;
    case Format::kGemma:
      return gemma;
    case Format::kFunctionGemma:
      return functiongemma;
    case Format::kNanochat:
      return nanochat;
    case Format::kJson:
      return json;
  }
  return nothing;
}

std::vector<std::string> marker_texts(Format format) {
  const Syntax& syntax = syntax_of(format);
  std::vector<std::string> texts = syntax.openers;
  texts.insert(texts.end(), syntax.closers.begin(), syntax.closers.end());
  if (is_mistral(format)) texts.insert(texts.end(), {"[ARGS]", "[CALL_ID]"});
  if (format == Format::kFunctionGemma) texts.emplace_back("<escape>");
  return texts;
}

std::string call_start(Format format, std::string_view function) {
  const std::string name(function);
  switch (format) {
    case Format::kHermes:
      return "<tool_call>\n{\"name\": \"" +
             (name.empty() ? std::string() : name + "\", \"arguments\":");
    case Format::kQwenXml:
      return "<tool_call>\n<function=" + (name.empty() ? std::string() : name + ">\n");
    case Format::kLlama:
      return "{\"name\": \"" + (name.empty() ? std::string() : name + "\", \"parameters\":");
    case Format::kMistral:
      return "[TOOL_CALLS][{\"name\": \"" +
             (name.empty() ? std::string() : name + "\", \"arguments\":");
    case Format::kMistralArgs:
      return "[TOOL_CALLS]" + (name.empty() ? std::string() : name + "[ARGS]");
    case Format::kJson:
      return "{\"name\": \"" + (name.empty() ? std::string() : name + "\", \"arguments\":");
    case Format::kGemma:
      return "```json\n{\"name\": \"" +
             (name.empty() ? std::string() : name + "\", \"parameters\":");
    case Format::kFunctionGemma:
      return "<start_function_call>call:" + (name.empty() ? std::string() : name + "{");
    case Format::kNanochat:
      return "<|python_start|>";
    case Format::kNone:
      break;
  }
  return {};
}

}  // namespace quire::tool_calls
