#include "wire/request_json.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/raw_json.h"
#include "wire/sampling_json.h"
#include "wire/structured_json.h"
#include "wire/tool_choice_json.h"

namespace quire::wire {
namespace {

Result<ChatMessage> read_message(const nlohmann::json& item, std::string_view raw) {
  QUIRE_ASSIGN(const JsonObject message, JsonObject::of(item, "a message"));
  ChatMessage chat;
  QUIRE_ASSIGN(chat.role, message.string("role"));
  std::vector<std::string> taken = {"role"};
  // A content of parts, or none beside tool calls: the template knows what to make of it.
  const bool has_text = !message.has("content") || item["content"].is_string();
  if (has_text) {
    QUIRE_ASSIGN(chat.content, message.string_or("content", ""));
    taken.emplace_back("content");
  } else if (!item["content"].is_array()) {
    return invalid_argument("the content of a message must be a string or a list of parts");
  }
  std::string extra = raw_object_without(raw, taken);
  if (extra != "{}") chat.extra_json = std::move(extra);
  return chat;
}

Result<std::vector<ChatMessage>> read_messages(const nlohmann::json& messages,
                                               std::string_view raw) {
  if (!messages.is_array() || messages.empty()) {
    return invalid_argument("messages must be a list with at least one message");
  }
  const std::vector<std::string_view> items = raw_items(raw);
  std::vector<ChatMessage> parsed;
  for (std::size_t i = 0; i < messages.size() && i < items.size(); ++i) {
    QUIRE_ASSIGN(ChatMessage message, read_message(messages[i], items[i]));
    parsed.push_back(std::move(message));
  }
  return parsed;
}

Result<Prompt> read_prompt(const JsonObject& object, std::string_view raw, bool chat) {
  const int given = static_cast<int>(object.has("prompt")) +
                    static_cast<int>(object.has("messages")) +
                    static_cast<int>(object.has("token_ids"));
  if (given != 1) {
    return invalid_argument("a prompt needs exactly one of prompt, messages and token_ids");
  }
  if (object.has("messages")) {
    QUIRE_ASSIGN(auto messages,
                 read_messages(object.value()["messages"], raw_field(raw, "messages")));
    return Prompt(std::move(messages));
  }
  if (object.has("token_ids")) {
    QUIRE_ASSIGN(auto ids, read_ids(object.value()["token_ids"], "token_ids"));
    return Prompt(std::move(ids));
  }
  QUIRE_ASSIGN(std::string text, object.string("prompt"));
  if (!chat) return Prompt(std::move(text));
  return Prompt(std::vector<ChatMessage>{{.role = "user", .content = std::move(text)}});
}

// What the template gets: tools, unless they are switched off, and variables.
Result<bool> read_template_field(const JsonObject& object,
                                 std::string_view name,
                                 std::string_view raw,
                                 GenerateRequest* request) {
  const nlohmann::json& value = object.value()[std::string(name)];
  if (name == "tools") {
    if (!value.is_array()) return invalid_argument("tools must be a list");
    const bool off = object.has("tool_choice") && object.value()["tool_choice"] == "none";
    if (!value.empty() && !off) request->tools_json = std::string(raw);
    return true;
  }
  if (name == "tool_choice") return true;  // read with the tools, whichever comes first
  if (name == "parallel_tool_calls") {
    QUIRE_ASSIGN(request->tool_choice.parallel, object.boolean("parallel_tool_calls"));
    return true;
  }
  if (name == "add_generation_prompt") {
    QUIRE_ASSIGN(request->add_generation_prompt, object.boolean("add_generation_prompt"));
    return true;
  }
  if (name == "continue_final_message") {
    QUIRE_ASSIGN(request->continue_final_message, object.boolean("continue_final_message"));
    return true;
  }
  if (name == "chat_template_kwargs") {
    if (!value.is_object()) return invalid_argument("chat_template_kwargs must be an object");
    if (!value.empty()) request->template_context_json = std::string(raw);
    return true;
  }
  if (name == "reasoning_effort") return true;  // likewise with the template's variables
  return false;
}

// Chat's logprobs is a switch and top_logprobs a number; elsewhere logprobs is the number.
Result<bool> read_openai_logprobs(const JsonObject& object,
                                  std::string_view name,
                                  GenerateRequest* request) {
  const bool is_switch = object.has("logprobs") && object.value()["logprobs"].is_boolean();
  if (name == "top_logprobs") {
    if (is_switch && object.value()["logprobs"] == true) return true;  // read with logprobs
    return invalid_argument("top_logprobs needs logprobs: true");
  }
  if (name != "logprobs" || !is_switch) return false;
  if (object.value()["logprobs"] == false) return true;
  request->params.logprobs = 0;
  if (object.has("top_logprobs")) {
    QUIRE_ASSIGN(request->params.logprobs, read_count(object, "top_logprobs"));
    const int most = SamplingLimits{}.max_logprobs;
    if (*request->params.logprobs < 0 || *request->params.logprobs > most) {
      return invalid_argument("top_logprobs must be from 0 to " + std::to_string(most));
    }
  }
  return true;
}

// What OpenAI's API has and Quire has under another name or not at all.
Result<bool> read_openai_field(const JsonObject& object,
                               std::string_view name,
                               GenerateRequest* request) {
  if (is_without_effect(name)) return true;
  const nlohmann::json& value = object.value()[std::string(name)];
  if (name == "max_completion_tokens") {
    QUIRE_ASSIGN(request->params.max_tokens, read_count(object, name));
    if (request->params.max_tokens < 1) {
      return invalid_argument("max_completion_tokens must be 1 at least");
    }
    return true;
  }
  if (name == "max_tokens" && object.has("max_completion_tokens")) return true;
  if (name == "stream" || name == "echo") {
    if (value == false) return true;
    return invalid_argument(std::string(name) + " is not in a batch; leave it out");
  }
  if (name == "best_of") {
    if (value == 1 || (object.has("n") && value == object.value()["n"])) return true;
    return invalid_argument("best_of must be n; leave it out");
  }
  if (name == "modalities") {
    if (value == nlohmann::json::array({"text"})) return true;
    return invalid_argument("modalities may be text alone; leave it out");
  }
  return read_openai_logprobs(object, name, request);
}

Status unknown_field(const std::string& name) {
  if (name == "functions" || name == "function_call") {
    return invalid_argument(name + " is the older form of tools and tool_choice; use those");
  }
  return invalid_argument("the field \"" + name.substr(0, 60) + "\" is not known; leave it out");
}

Status read_fields(const JsonObject& object,
                   std::string_view raw,
                   const OpenAiApi* openai,
                   GenerateRequest* request) {
  for (const auto& [name, text] : raw_fields(raw)) {
    if (object.value()[name].is_null()) continue;
    const bool is_prompt = name == "prompt" || name == "messages" || name == "token_ids";
    if (openai == nullptr && is_prompt) continue;
    if (openai != nullptr) {
      const auto& known_names = openai_field_names(*openai);
      if (std::ranges::find(known_names, name) == known_names.end()) return unknown_field(name);
      if (is_prompt) continue;
      QUIRE_ASSIGN(const bool openais, read_openai_field(object, name, request));
      if (openais) continue;
    } else if (name == "id") {
      continue;
    }
    QUIRE_ASSIGN(const bool for_template, read_template_field(object, name, text, request));
    if (for_template) continue;
    QUIRE_ASSIGN(const bool structured, read_structured_field(name, text, request));
    if (structured) continue;
    QUIRE_ASSIGN(const bool known, read_sampling_field(object, name, text, request));
    if (!known) return unknown_field(name);
  }
  QUIRE_TRY(read_tool_choice(object, request));
  return read_reasoning_effort(object, request);
}

Result<Prompt> read_completion_prompt(const nlohmann::json& prompt) {
  if (prompt.is_string()) return Prompt(prompt.get<std::string>());
  QUIRE_ASSIGN(auto ids, read_ids(prompt, "prompt"));
  return Prompt(std::move(ids));
}

}  // namespace

Result<std::vector<Prompt>> read_completion_prompts(const JsonObject& object) {
  if (!object.has("prompt")) return invalid_argument("a completion needs a prompt");
  const nlohmann::json& prompt = object.value()["prompt"];
  std::vector<Prompt> prompts;
  const bool nested = prompt.is_array() && !prompt.empty() && !prompt.front().is_number();
  if (!nested) {
    QUIRE_ASSIGN(Prompt only, read_completion_prompt(prompt));
    prompts.push_back(std::move(only));
    return prompts;
  }
  for (const nlohmann::json& item : prompt) {
    QUIRE_ASSIGN(Prompt next, read_completion_prompt(item));
    prompts.push_back(std::move(next));
  }
  return prompts;
}

Result<GenerateRequest> read_request(const JsonObject& object,
                                     std::string_view raw,
                                     bool chat,
                                     const SamplingParams& params) {
  GenerateRequest request{.prompt = std::string(), .params = params};
  QUIRE_ASSIGN(request.prompt, read_prompt(object, raw, chat));
  QUIRE_TRY(read_fields(object, raw, nullptr, &request));
  return request;
}

Result<GenerateRequest> read_openai_request(OpenAiApi api,
                                            const JsonObject& object,
                                            std::string_view raw,
                                            const SamplingParams& params) {
  GenerateRequest request{.prompt = std::string(), .params = params};
  if (api == OpenAiApi::kCompletion) {
    QUIRE_ASSIGN(std::vector<Prompt> prompts, read_completion_prompts(object));
    if (prompts.size() > 1) {
      return invalid_argument("prompt is a list of several; give each a line of its own");
    }
    request.prompt = std::move(prompts.front());
  } else if (object.has("messages")) {
    QUIRE_ASSIGN(request.prompt,
                 read_messages(object.value()["messages"], raw_field(raw, "messages")));
  } else {
    return invalid_argument("a chat completion needs messages");
  }
  QUIRE_TRY(read_fields(object, raw, &api, &request));
  return request;
}

}  // namespace quire::wire
