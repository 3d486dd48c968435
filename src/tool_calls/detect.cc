#include "tool_calls/detect.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "tool_calls/format.h"

namespace quire::tool_calls {
namespace {

// Words that no template has.
constexpr std::string_view kListed = "quire_listed_probe";
constexpr std::string_view kCalled = "quire_called_probe";
constexpr std::string_view kKey = "quire_probe_key";
constexpr std::string_view kValue = "quire probe value";
constexpr std::size_t kLook = 64;  // how far around a name its format is looked for

std::string tools() {
  return R"([{"type": "function", "function": {"name": ")" + std::string(kListed) +
         R"(", "description": "probe", "parameters": {"type": "object", "properties": {")" +
         std::string(kKey) + R"(": {"type": "string", "description": "probe"}}, "required": [")" +
         std::string(kKey) + R"("]}}}])";
}

// A conversation that ends with a call. Mistral's templates want ids of nine characters.
std::vector<ChatMessage> conversation(bool text_arguments) {
  const std::string object = "{\"" + std::string(kKey) + "\": \"" + std::string(kValue) + "\"}";
  const std::string text =
      R"("{\")" + std::string(kKey) + R"(\": \")" + std::string(kValue) + R"(\"}")";
  return {{.role = "user", .content = "probe"},
          {.role = "assistant",
           .content = "",
           .extra_json = R"({"tool_calls": [{"id": "quire0001", "type": "function", )"
                         R"("function": {"name": ")" +
                         std::string(kCalled) + R"(", "arguments": )" +
                         (text_arguments ? text : object) + "}}]}"}};
}

bool contains(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}

// The arguments as JSON, or in a writing of its own, but not as JSON within a string.
bool has_arguments(std::string_view text) {
  const std::size_t at = text.rfind(kKey);
  return at != std::string_view::npos && contains(text.substr(at), kValue) &&
         !text.substr(at + kKey.size()).starts_with('\\') &&
         !text.substr(at + kKey.size()).starts_with('\'');
}

// The format of the call in a text; kNone where it has none or one that is not known.
Format format_of_call(std::string_view text) {
  const std::size_t at = text.rfind(kCalled);
  if (at == std::string_view::npos) return Format::kNone;
  const std::size_t begin = at - std::min(at, kLook);
  const std::string_view before = text.substr(begin, at - begin);
  const std::string_view behind = text.substr(at + kCalled.size()).substr(0, kLook);
  if (before.ends_with("<function=")) return Format::kQwenXml;
  if (contains(before, "<start_function_call>")) return Format::kFunctionGemma;
  if (before.ends_with("[TOOL_CALLS]")) return Format::kMistralArgs;
  if (contains(before, "[TOOL_CALLS]")) return Format::kMistral;
  if (contains(before, "```tool_code")) return Format::kGemma;
  if (!contains(before, "\"name\"")) return Format::kNone;
  if (contains(before, "<tool_call>")) return Format::kHermes;
  if (contains(behind, "\"parameters\"")) return Format::kLlama;
  return contains(behind, "\"arguments\"") ? Format::kJson : Format::kNone;
}

// By what a template says of calls to the model.
Format format_of_instructions(std::string_view text) {
  if (contains(text, "<function=")) return Format::kQwenXml;
  if (contains(text, "<tool_call>")) return Format::kHermes;
  if (contains(text, "[TOOL_CALLS]") || contains(text, "[AVAILABLE_TOOLS]")) {
    return Format::kMistral;
  }
  if (contains(text, "```tool_code")) return Format::kGemma;
  return contains(text, kListed) ? Format::kJson : Format::kNone;
}

}  // namespace

ToolSupport detect_tool_support(const Render& render) {
  ToolSupport support;
  Result<std::string> text = render(conversation(/*text_arguments=*/false), tools());
  if (!text || (contains(*text, kCalled) && !has_arguments(*text))) {
    Result<std::string> with_text = render(conversation(/*text_arguments=*/true), tools());
    if (with_text && (!text || has_arguments(*with_text))) {
      support.text_arguments = true;
      text = std::move(with_text);
    }
  }
  // A template that cannot write calls may still tell of tools, in whatever words.
  const std::vector<ChatMessage> question = {{.role = "user", .content = "probe"}};
  const Result<std::string> told = render(question, tools());
  const Result<std::string> untold = render(question, {});
  if (!text) text = told;
  if (!text) return support;
  support.in_template = contains(*text, kListed) || (told && untold && *told != *untold);
  Format format = format_of_call(*text);
  if (format == Format::kNone && !contains(*text, kCalled) && support.in_template) {
    format = format_of_instructions(*text);
  }
  if (format != Format::kNone) support.format = format_name(format);
  return support;
}

}  // namespace quire::tool_calls
