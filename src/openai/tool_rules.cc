#include "openai/tool_rules.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "openai/chat_rules.h"

namespace quire::openai {
namespace {

using nlohmann::json;

bool has(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && !found->is_null();
}

std::string indexed(std::string_view list, std::size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

bool is_function_name(const json& name, const ApiLimits& limits) {
  if (!name.is_string()) return false;
  const auto& text = name.get_ref<const std::string&>();
  return !text.empty() && text.size() <= limits.function_name_bytes &&
         std::ranges::all_of(
             text, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

Status check_name(const std::string& at, const json& name, const ApiLimits& limits) {
  if (is_function_name(name, limits)) return ok_status();
  return invalid_argument(at + " must have a name of letters, digits, _ and -, up to " +
                          std::to_string(limits.function_name_bytes));
}

Status check_tool(const std::string& at, const json& tool, const ApiLimits& limits) {
  if (!tool.is_object() || tool.value("type", json()) != "function") {
    return invalid_argument(at + " must be an object of the type function");
  }
  const json function = tool.value("function", json());
  if (!function.is_object()) return invalid_argument(at + ".function must be an object");
  QUIRE_TRY(check_name(at + ".function", function.value("name", json()), limits));
  if (has(function, "parameters") && !function["parameters"].is_object()) {
    return invalid_argument(at + ".function.parameters must be a JSON Schema, an object");
  }
  if (has(function, "description") && !function["description"].is_string()) {
    return invalid_argument(at + ".function.description must be a text");
  }
  if (has(function, "strict") && !function["strict"].is_boolean()) {
    return invalid_argument(at + ".function.strict must be true or false");
  }
  if (function.dump(-1, ' ', false, json::error_handler_t::replace).size() > limits.tool_bytes) {
    return invalid_argument(at + " is larger than " + std::to_string(limits.tool_bytes) + " bytes");
  }
  return ok_status();
}

// A call's arguments: the text of an object, as OpenAI has them, or the object itself.
Status check_arguments(const std::string& at, const json& arguments) {
  if (arguments.is_null() || arguments.is_object()) return ok_status();
  if (!arguments.is_string())
    return invalid_argument(at + " must be the JSON of an object, as text");
  const auto& text = arguments.get_ref<const std::string&>();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return ok_status();
  const auto parsed = parse_json(text, at);
  if (parsed && parsed->is_object()) return ok_status();
  return invalid_argument(at + " must be the JSON of an object, as text");
}

Status check_call(const std::string& at, const json& call, const ApiLimits& limits) {
  if (!call.is_object()) return invalid_argument(at + " must be an object");
  if (!call.contains("id") || !call["id"].is_string() || call["id"] == "") {
    return invalid_argument(at + ".id must be a text");
  }
  if (has(call, "type") && call["type"] != "function") {
    return invalid_argument(at + ".type must be function");
  }
  const json function = call.value("function", json());
  if (!function.is_object()) return invalid_argument(at + ".function must be an object");
  QUIRE_TRY(check_name(at + ".function", function.value("name", json()), limits));
  return check_arguments(at + ".function.arguments", function.value("arguments", json()));
}

// Follows a conversation: which calls still wait for a result, and whose they are.
class History {
 public:
  explicit History(const ApiLimits& limits) : limits_(limits) {}

  Status add(std::size_t index, const json& message) {
    const std::string at = indexed("messages", index);
    if (message.value("role", json()) == "tool") return add_result(at, message);
    QUIRE_TRY(finish());
    if (!has(message, "tool_calls")) return ok_status();
    const json& calls = message["tool_calls"];
    if (!calls.is_array()) return invalid_argument(at + ".tool_calls must be a list");
    if (calls.empty()) return ok_status();
    if (message.value("role", json()) != "assistant") {
      return invalid_argument(at + ".tool_calls may be an assistant's alone");
    }
    QUIRE_TRY(check_count(at + ".tool_calls", calls.size(), limits_.tools));
    at_ = at + ".tool_calls";
    answered_.clear();
    for (std::size_t i = 0; i < calls.size(); ++i) {
      QUIRE_TRY(check_call(indexed(at_, i), calls[i], limits_));
      if (waiting_.insert(calls[i]["id"].get<std::string>()).second) continue;
      return invalid_argument(indexed(at_, i) + ".id is that of another call");
    }
    return ok_status();
  }

  // Behind the last message, or before one that is no result.
  Status finish() const {
    if (waiting_.empty()) return ok_status();
    return invalid_argument(at_ + " has no result for the call \"" +
                            waiting_.begin()->substr(0, 80) +
                            "\"; a message of the role tool must follow for each");
  }

 private:
  Status add_result(const std::string& at, const json& message) {
    const json id = message.value("tool_call_id", json());
    if (!id.is_string()) return invalid_argument(at + ".tool_call_id must be a text");
    const auto& text = id.get_ref<const std::string&>();
    if (waiting_.erase(text) > 0) {
      answered_.insert(text);
      return ok_status();
    }
    const std::string name = ".tool_call_id \"" + text.substr(0, 80) + "\" ";
    if (answered_.contains(text)) return invalid_argument(at + name + "has a result already");
    return invalid_argument(at + name + "is the id of no call in the message before the results");
  }

  const ApiLimits& limits_;
  std::string at_;                  // where the calls are
  std::set<std::string> waiting_;   // for a result
  std::set<std::string> answered_;  // of the same message
};

}  // namespace

Status check_tools(const json& body, const ApiLimits& limits) {
  const auto found = body.find("tools");
  if (found == body.end() || !found->is_array()) return ok_status();  // refused where it is read
  QUIRE_TRY(check_count("tools", found->size(), limits.tools));
  std::set<std::string> names;
  for (std::size_t i = 0; i < found->size(); ++i) {
    QUIRE_TRY(check_tool(indexed("tools", i), (*found)[i], limits));
    if (names.insert((*found)[i]["function"]["name"].get<std::string>()).second) continue;
    return invalid_argument(indexed("tools", i) + ".function has the name of another");
  }
  return ok_status();
}

Status check_tool_history(const json& messages, const ApiLimits& limits) {
  History history(limits);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].is_object()) QUIRE_TRY(history.add(i, messages[i]));
  }
  return history.finish();
}

}  // namespace quire::openai
