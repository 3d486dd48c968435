#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "openai/messages_api.h"

namespace quire::openai {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// Fields that the chat completion has under the same name; and those that are read here.
constexpr std::array<std::string_view, 9> kSame = {"model",
                                                   "max_reasoning_tokens",
                                                   "max_tokens",
                                                   "stream",
                                                   "temperature",
                                                   "top_p",
                                                   "top_k",
                                                   "chat_template_kwargs",
                                                   "metadata"};
constexpr std::array<std::string_view, 7> kOwn = {
    "messages", "system", "stop_sequences", "tools", "tool_choice", "thinking", "service_tier"};

constexpr std::string_view kBillingHeader = "x-anthropic-billing-header";

Status not_here(std::string_view what) {
  return invalid_argument(std::string(what) + " is not in this version; leave it out");
}

std::string text_field(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || !found->is_string() ? "" : found->get<std::string>();
}

// The text of a string or of a list of blocks that are all text.
Result<std::string> read_text(const json& content, std::string_view where) {
  if (content.is_string()) return content.get<std::string>();
  const Status refusal = invalid_argument(std::string(where) + " must be text or a list of blocks");
  if (!content.is_array()) return refusal;
  std::string text;
  for (const json& block : content) {
    if (!block.is_object()) return refusal;
    const std::string type = text_field(block, "type");
    if (type != "text")
      return not_here("a block of type " + type.substr(0, 40) + " in " + std::string(where));
    if (!block.contains("text") || !block["text"].is_string()) return refusal;
    text += block["text"].get<std::string>();
  }
  return text;
}

// A billing header is the first line of the text, or of a block of its own.
std::string without_billing_header(const std::string& text) {
  if (!text.starts_with(kBillingHeader)) return text;
  const std::size_t end = text.find('\n');
  return end == std::string::npos ? std::string() : text.substr(end + 1);
}

Result<std::string> read_system(const json& system) {
  if (!system.is_array()) {
    QUIRE_ASSIGN(const std::string text, read_text(system, "system"));
    return without_billing_header(text);
  }
  std::string whole;
  for (const json& block : system) {
    QUIRE_ASSIGN(const std::string text, read_text(json::array({block}), "system"));
    whole += without_billing_header(text);
  }
  return whole;
}

// A call of a tool, as an assistant's message of OpenAI's has it.
ordered_json tool_call(const json& block) {
  return {
      {"id", text_field(block, "id")},
      {"type", "function"},
      {"function", {{"name", text_field(block, "name")}, {"arguments", block["input"].dump()}}}};
}

// A call or a result without its names could not be told from others.
Status check_names_of_tools(const json& block, const std::string& type) {
  const auto has_text = [&block](const char* name) {
    return block.contains(name) && block[name].is_string();
  };
  if (type == "tool_use" && !(has_text("id") && has_text("name"))) {
    return invalid_argument("messages must have an id and a name in each tool_use");
  }
  if (type == "tool_use" && !(block.contains("input") && block["input"].is_object())) {
    return invalid_argument("messages must have an object as input in each tool_use");
  }
  if (type == "tool_result" && !has_text("tool_use_id")) {
    return invalid_argument("messages must have a tool_use_id in each tool_result");
  }
  return ok_status();
}

// A message of Anthropic's is one of OpenAI's, and one for each tool's result in it before that.
Status read_message(const json& message, ordered_json* out) {
  const Status refusal = invalid_argument("messages must have a role and a content each");
  if (!message.is_object() || !message.contains("content")) return refusal;
  const std::string role = text_field(message, "role");
  if (role != "user" && role != "assistant") {
    return invalid_argument("messages must be of the role user or assistant");
  }
  for (const auto& [name, value] : message.items()) {
    if (name == "role" || name == "content") continue;
    return invalid_argument("messages have the field \"" + name.substr(0, 60) +
                            "\", which is not known; leave it out");
  }
  if (message["content"].is_string()) {
    out->push_back({{"role", role}, {"content", message["content"].get<std::string>()}});
    return ok_status();
  }
  if (!message["content"].is_array()) return refusal;
  std::string text;
  std::string thoughts;
  bool has_results = false;
  ordered_json calls = ordered_json::array();
  for (const json& block : message["content"]) {
    if (!block.is_object()) return refusal;
    const std::string type = text_field(block, "type");
    QUIRE_TRY(check_names_of_tools(block, type));
    if ((type == "thinking" || type == "redacted_thinking") && role == "assistant") {
      thoughts += text_field(block, "thinking");  // a template may want those behind the question
      continue;
    }
    if (type == "tool_use" && role == "assistant") {
      calls.push_back(tool_call(block));
    } else if (type == "tool_result" && role == "user") {
      const json content = block.contains("content") ? block["content"] : json("");
      QUIRE_ASSIGN(std::string result, read_text(content, "a tool_result"));
      out->push_back({{"role", "tool"},
                      {"tool_call_id", text_field(block, "tool_use_id")},
                      {"content", std::move(result)}});
      has_results = true;
    } else {
      QUIRE_ASSIGN(const std::string piece, read_text(json::array({block}), "messages"));
      text += piece;
    }
  }
  if (has_results && text.empty()) return ok_status();
  ordered_json plain = {{"role", role}, {"content", text}};
  if (!thoughts.empty()) plain["reasoning_content"] = std::move(thoughts);
  if (!calls.empty()) plain["tool_calls"] = std::move(calls);
  out->push_back(std::move(plain));
  return ok_status();
}

std::string text_of_type(const json& block, const char* type, const char* field) {
  return block.is_object() && text_field(block, "type") == type ? text_field(block, field) : "";
}

// Results belong to the calls of the message before, one to each.
Status check_results(const json& messages) {
  std::set<std::string> waiting;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const json content = messages[i].is_object() ? messages[i].value("content", json()) : json();
    for (std::size_t j = 0; content.is_array() && j < content.size(); ++j) {
      const std::string id = text_of_type(content[j], "tool_result", "tool_use_id");
      if (id.empty() || waiting.erase(id) > 0) continue;
      return invalid_argument("messages[" + std::to_string(i) + "].content[" + std::to_string(j) +
                              "].tool_use_id \"" + id.substr(0, 80) +
                              "\" is the id of no call in the message before");
    }
    if (!waiting.empty()) {
      return invalid_argument("messages[" + std::to_string(i) + "] has no tool_result for \"" +
                              waiting.begin()->substr(0, 80) + "\", a call of the message before");
    }
    for (const json& block : content.is_array() ? content : json::array()) {
      const std::string id = text_of_type(block, "tool_use", "id");
      if (!id.empty()) waiting.insert(id);
    }
  }
  return ok_status();
}

Status read_tools(const json& tools, ordered_json* out) {
  if (!tools.is_array()) return invalid_argument("tools must be a list");
  for (const json& tool : tools) {
    if (!tool.is_object() || !tool.contains("name")) {
      return invalid_argument("tools must have a name each");
    }
    if (!tool.contains("input_schema"))
      return not_here("tools of type " + text_field(tool, "type"));
    ordered_json function = {{"name", tool["name"]}};
    if (tool.contains("description")) function["description"] = tool["description"];
    function["parameters"] = tool["input_schema"];
    (*out)["tools"].push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return ok_status();
}

Status read_choice(const json& value, ordered_json* out) {
  const std::string type = value.is_object() ? text_field(value, "type") : "";
  if (type == "auto" || type == "none") {
    (*out)["tool_choice"] = type;
  } else if (type == "any") {
    (*out)["tool_choice"] = "required";
  } else if (type == "tool") {
    (*out)["tool_choice"] = {{"type", "function"},
                             {"function", {{"name", text_field(value, "name")}}}};
  } else {
    return invalid_argument("tool_choice must be of the type auto, any, tool or none");
  }
  if (!value.contains("disable_parallel_tool_use")) return ok_status();
  const json& single = value["disable_parallel_tool_use"];
  if (!single.is_boolean()) {
    return invalid_argument("tool_choice.disable_parallel_tool_use must be true or false");
  }
  (*out)["parallel_tool_calls"] = !single.get<bool>();
  return ok_status();
}

// What a model may think: the template's switch, and how many tokens.
Status read_thinking(const json& value, ordered_json* out) {
  const std::string type = value.is_object() ? text_field(value, "type") : "";
  if (type != "enabled" && type != "disabled" && type != "adaptive") {
    return invalid_argument("thinking must be of the type enabled, disabled or adaptive");
  }
  if (!out->contains("chat_template_kwargs")) {
    (*out)["chat_template_kwargs"] = ordered_json::object();
  }
  if ((*out)["chat_template_kwargs"].is_object() &&
      !(*out)["chat_template_kwargs"].contains("enable_thinking")) {
    (*out)["chat_template_kwargs"]["enable_thinking"] = type != "disabled";
  }
  if (type == "disabled") (*out)["max_reasoning_tokens"] = 0;
  if (type != "enabled" || !value.contains("budget_tokens")) return ok_status();
  const json& budget = value["budget_tokens"];
  if (!budget.is_number_integer() || budget < 0) {
    return invalid_argument("thinking.budget_tokens must be a whole number from 0 up");
  }
  (*out)["max_reasoning_tokens"] = budget;
  return ok_status();
}

// A field that is not the conversation itself.
Status read_field(const std::string& name, const json& value, ordered_json* out) {
  if (std::ranges::find(kSame, std::string_view(name)) != kSame.end()) {
    (*out)[name] = value;
  } else if (name == "stop_sequences") {
    (*out)["stop"] = value;
  } else if (name == "tools") {
    return read_tools(value, out);
  } else if (name == "tool_choice") {
    return read_choice(value, out);
  } else if (name == "service_tier") {
    if (!value.is_string()) return invalid_argument("service_tier must be a text");
  }
  return ok_status();
}

// The chat completion that means the same.
Result<ApiBody> as_chat(const json& body) {
  ordered_json chat = {{"messages", ordered_json::array()}};
  if (body.contains("system") && !body["system"].is_null()) {
    QUIRE_ASSIGN(std::string system, read_system(body["system"]));
    if (!system.empty()) {
      chat["messages"].push_back({{"role", "system"}, {"content", std::move(system)}});
    }
  }
  if (!body.contains("messages") || !body["messages"].is_array() || body["messages"].empty()) {
    return invalid_argument("messages must be a list with at least one message");
  }
  for (const json& message : body["messages"]) QUIRE_TRY(read_message(message, &chat["messages"]));
  QUIRE_TRY(check_results(body["messages"]));
  // An answer that the client has begun is to be gone on with.
  if (chat["messages"].back()["role"] == "assistant") chat["continue_final_message"] = true;
  for (const auto& [name, value] : body.items()) {
    if (std::ranges::find(kSame, name) == kSame.end() &&
        std::ranges::find(kOwn, name) == kOwn.end()) {
      return invalid_argument("the field \"" + name.substr(0, 60) +
                              "\" is not known; leave it out");
    }
    if (name == "messages" || name == "system" || value.is_null()) continue;
    QUIRE_TRY(read_field(name, value, &chat));
  }
  if (body.contains("thinking") && !body["thinking"].is_null()) {
    QUIRE_TRY(read_thinking(body["thinking"], &chat));
  }
  return ApiBody::parse(chat.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

}  // namespace

std::span<const std::string_view> messages_field_names() {
  static const std::vector<std::string_view> all_names = [] {
    std::vector<std::string_view> all(kSame.begin(), kSame.end());
    all.insert(all.end(), kOwn.begin(), kOwn.end());
    return all;
  }();
  return all_names;
}

Result<ApiRequest> read_messages_request(ApiBody body,
                                         const SamplingParams& defaults,
                                         const Caller&) {
  if (!body.json().contains("max_tokens") || body.json()["max_tokens"].is_null())
    return invalid_argument("max_tokens must be given");
  QUIRE_ASSIGN(ApiBody chat, as_chat(body.json()));
  return read_api_request(wire::LineForm::kOpenAiChat, std::move(chat), defaults);
}

Result<std::string> count_message_tokens(ApiBody body, const PromptEncoder& encoder, int) {
  QUIRE_ASSIGN(ApiBody chat, as_chat(body.json()));
  QUIRE_ASSIGN(const ApiRequest request,
               read_api_request(wire::LineForm::kOpenAiChat, std::move(chat), {}));
  // Of the rest only ids are checked against a model, and a body of this form has none.
  QUIRE_TRY(validate(request.requests.front().params, std::numeric_limits<int>::max()));
  QUIRE_ASSIGN(const auto ids, encoder.encode(request.requests.front()));
  return json({{"input_tokens", ids.size()}}).dump();
}

}  // namespace quire::openai
