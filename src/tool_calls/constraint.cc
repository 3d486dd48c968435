#include "tool_calls/constraint.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::tool_calls {
namespace {

using Kind = StructuredOutput::Kind;

StructuredOutput text(std::string said) { return {.kind = Kind::kText, .text = std::move(said)}; }

StructuredOutput sequence(std::vector<StructuredOutput> parts) {
  return {.kind = Kind::kSequence, .parts = std::move(parts)};
}

// A function without a schema takes whatever an object may be.
StructuredOutput arguments_of(const Function& function) {
  return function.parameters_json.empty() ? StructuredOutput::json_object()
                                          : StructuredOutput::json_schema(function.parameters_json);
}

}  // namespace

StructuredOutput call_constraint(
    Format format,
    const FunctionList& functions,
    const ToolChoice& choice,
    const std::function<std::optional<TokenId>(std::string_view)>& id_of) {
  std::string key = "arguments";
  std::string end = "}";
  switch (format) {
    case Format::kHermes:
    case Format::kJson:
      break;
    case Format::kLlama:
    case Format::kGemma:
      key = "parameters";
      break;
    case Format::kMistral:
      end = "}]";
      break;
    case Format::kMistralArgs:
      end = "";
      break;
    default:
      return {};
  }
  std::vector<StructuredOutput> calls;
  for (const Function& function : functions.all()) {
    if (!choice.function.empty() && choice.function != function.name) continue;
    std::vector<StructuredOutput> parts;
    const bool named = !choice.function.empty();  // all before the arguments is there
    if (format == Format::kMistralArgs) {
      const auto marker = id_of("[ARGS]");
      if (!named) parts.push_back(text(function.name));
      if (!named) {
        parts.push_back(marker ? StructuredOutput{.kind = Kind::kToken, .token = *marker}
                               : text("[ARGS]"));
      }
    } else {
      parts.push_back(text(named ? " " : function.name + "\", \"" + key + "\": "));
    }
    parts.push_back(arguments_of(function));
    if (!end.empty()) parts.push_back(text(end));
    calls.push_back(sequence(std::move(parts)));
  }
  if (calls.empty()) return {};
  StructuredOutput constraint =
      calls.size() == 1 ? std::move(calls.front())
                        : StructuredOutput{.kind = Kind::kAnyOf, .parts = std::move(calls)};
  constraint.field = "tools";
  return constraint;
}

}  // namespace quire::tool_calls
