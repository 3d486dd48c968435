#include "wire/tool_choice_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/raw_json.h"
#include "tool_calls/functions.h"

namespace quire::wire {
namespace {

using nlohmann::json;

std::string text_field(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found == object.end() || !found->is_string() ? "" : found->get<std::string>();
}

std::string function_name(const json& tool) {
  return tool.is_object() && tool.contains("function") ? text_field(tool["function"], "name") : "";
}

Status no_tool(const std::string& name) {
  return invalid_argument("tool_choice names the function \"" + name.substr(0, 64) +
                          "\", which is not among the tools");
}

// Leaves the allowed tools in the request.
Status keep_allowed(const json& allowed, GenerateRequest* request) {
  const json tools = allowed.is_object() ? allowed.value("tools", json()) : json();
  const std::string mode = text_field(allowed, "mode");
  if (!tools.is_array() || tools.empty() || (mode != "auto" && mode != "required")) {
    return invalid_argument(
        "tool_choice: allowed_tools must have a mode, auto or required, and tools");
  }
  QUIRE_ASSIGN(const auto functions, tool_calls::FunctionList::parse(request->tools_json));
  std::vector<std::string> names;
  for (const json& tool : tools) {
    names.push_back(function_name(tool));
    if (functions.find(names.back()) == nullptr) return no_tool(names.back());
  }
  std::string kept;
  for (const std::string_view tool : raw_items(request->tools_json)) {
    const json name = json::parse(raw_field(raw_field(tool, "function"), "name"), nullptr, false);
    if (!name.is_string() || std::ranges::find(names, name.get<std::string>()) == names.end()) {
      continue;
    }
    kept += (kept.empty() ? "[" : ",") + std::string(tool);
  }
  request->tools_json = kept + "]";
  request->tool_choice.required = mode == "required";
  return ok_status();
}

Status read_form(const json& choice, GenerateRequest* request) {
  if (choice == "auto" || choice == "none") return ok_status();
  const std::string type = text_field(choice, "type");
  if (choice != "required" && type != "function" && type != "allowed_tools") {
    return invalid_argument(
        "tool_choice must be auto, none, required, a function or allowed_tools");
  }
  if (request->tools_json.empty()) return invalid_argument("tool_choice needs tools");
  if (type == "allowed_tools") return keep_allowed(choice.value("allowed_tools", json()), request);
  request->tool_choice.required = true;
  if (type != "function") return ok_status();
  request->tool_choice.function = function_name(choice);
  if (request->tool_choice.function.empty()) {
    return invalid_argument("tool_choice must name its function: {\"name\": ...} as function");
  }
  return ok_status();
}

}  // namespace

Status read_tool_choice(const JsonObject& object, GenerateRequest* request) {
  if (object.has("tool_choice")) {
    QUIRE_TRY(read_form(object.value()["tool_choice"], request));
  }
  if (!request->tool_choice.required) return ok_status();
  QUIRE_ASSIGN(const auto functions, tool_calls::FunctionList::parse(request->tools_json));
  if (functions.all().empty()) return invalid_argument("tool_choice needs tools");
  ToolChoice& choice = request->tool_choice;
  if (choice.function.empty() && functions.all().size() == 1) {
    choice.function = functions.all().front().name;
  }
  if (choice.function.empty()) return ok_status();
  return functions.find(choice.function) == nullptr ? no_tool(choice.function) : ok_status();
}

Status read_reasoning_effort(const JsonObject& object, GenerateRequest* request) {
  if (!object.has("reasoning_effort")) return ok_status();
  constexpr std::array<std::string_view, 6> kEfforts = {
      "none", "minimal", "low", "medium", "high", "xhigh"};
  const json& value = object.value()["reasoning_effort"];
  const std::string effort = value.is_string() ? value.get<std::string>() : "";
  if (std::ranges::find(kEfforts, effort) == kEfforts.end()) {
    return invalid_argument("reasoning_effort must be none, minimal, low, medium, high or xhigh");
  }
  const bool thinks = effort != "none";
  if (!thinks && !request->params.max_reasoning_tokens) request->params.max_reasoning_tokens = 0;
  json variables = json::object();
  if (!request->template_context_json.empty()) {
    QUIRE_ASSIGN(variables, parse_json(request->template_context_json, "chat_template_kwargs"));
  }
  // In front of what is there, whose text stays as it came.
  std::string added;
  if (!variables.contains("enable_thinking")) {
    added += "\"enable_thinking\":" + std::string(thinks ? "true" : "false");
  }
  if (!variables.contains("reasoning_effort")) {
    added += (added.empty() ? "" : ",") + ("\"reasoning_effort\":\"" + effort + "\"");
  }
  if (added.empty()) return ok_status();
  std::string& context = request->template_context_json;
  if (variables.empty()) {
    context = "{" + added + "}";
  } else {
    context.insert(context.find('{') + 1, added + ",");
  }
  return ok_status();
}

}  // namespace quire::wire
