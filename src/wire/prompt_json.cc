#include "wire/prompt_json.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "wire/sampling_json.h"

namespace quire::wire {
namespace {

Result<std::vector<ChatMessage>> parse_messages(const nlohmann::json& messages) {
  if (!messages.is_array() || messages.empty()) {
    return invalid_argument("messages must be a list with at least one message");
  }
  std::vector<ChatMessage> parsed;
  for (const nlohmann::json& item : messages) {
    QUIRE_ASSIGN(const JsonObject message, JsonObject::of(item, "a message"));
    ChatMessage chat;
    QUIRE_ASSIGN(chat.role, message.string("role"));
    nlohmann::json extra = item;
    extra.erase("role");
    // A content of parts, or none beside tool calls: the template knows what to make of it.
    const bool has_text = !message.has("content") || item["content"].is_string();
    if (has_text) {
      QUIRE_ASSIGN(chat.content, message.string_or("content", ""));
      extra.erase("content");
    } else if (!item["content"].is_array() && !item["content"].is_null()) {
      return invalid_argument("the content of a message must be a string or a list of parts");
    }
    if (!extra.empty()) chat.extra_json = extra.dump();
    parsed.push_back(std::move(chat));
  }
  return parsed;
}

Result<Prompt> prompt_of(const JsonObject& object, bool chat) {
  const int given = static_cast<int>(object.has("prompt")) +
                    static_cast<int>(object.has("messages")) +
                    static_cast<int>(object.has("token_ids"));
  if (given != 1) {
    return invalid_argument("a prompt needs exactly one of prompt, messages and token_ids");
  }
  if (object.has("messages")) {
    QUIRE_ASSIGN(auto messages, parse_messages(object.value()["messages"]));
    return Prompt(std::move(messages));
  }
  if (object.has("token_ids")) {
    QUIRE_ASSIGN(
        const auto ids,
        object.integers(
            "token_ids", std::numeric_limits<TokenId>::min(), std::numeric_limits<TokenId>::max()));
    return Prompt(std::vector<TokenId>(ids.begin(), ids.end()));
  }
  QUIRE_ASSIGN(std::string text, object.string("prompt"));
  if (!chat) return Prompt(std::move(text));
  return Prompt(
      std::vector<ChatMessage>{{.role = "user", .content = std::move(text), .extra_json = {}}});
}

// A failure of a prompt is the caller's mistake, whatever its reader called it.
Status as_usage_error(const Status& status) { return invalid_argument(status.message()); }

}  // namespace

Result<GenerateRequest> prompt_from_json(const std::string& line,
                                         bool chat,
                                         const SamplingParams& params) {
  GenerateRequest request{.prompt = std::string(), .params = params};
  const auto json = parse_json(line, "the line");
  if (!json) return as_usage_error(json.error());
  const auto object = JsonObject::of(*json, "the line");
  if (!object) return as_usage_error(object.error());
  auto prompt = prompt_of(*object, chat);
  if (!prompt) return as_usage_error(prompt.error());
  request.prompt = *std::move(prompt);
  if (Status status = read_sampling_fields(*object, &request); !status.ok()) {
    return as_usage_error(status);
  }
  return request;
}

}  // namespace quire::wire
