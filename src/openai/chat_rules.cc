#include "openai/chat_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "openai/tool_rules.h"

namespace quire::openai {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kRoles = {
    "system", "developer", "user", "assistant", "tool", "function"};

std::size_t entries(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || !found->is_array() ? 0 : found->size();
}

bool has(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && !found->is_null();
}

Status check_message(std::size_t index, const json& message, const ApiLimits& limits) {
  if (!message.is_object()) return ok_status();  // refused where it is read
  const std::string at = "messages[" + std::to_string(index) + "]";
  const auto role = message.find("role");
  if (role == message.end() || !role->is_string()) {
    return invalid_argument(at + " must have a role");
  }
  if (std::ranges::find(kRoles, role->get<std::string_view>()) == kRoles.end()) {
    return invalid_argument(
        at + " has the role \"" + role->get<std::string>().substr(0, 40) +
        "\", which must be system, developer, user, assistant, tool or function");
  }
  // An assistant may have called tools and said nothing.
  if (!has(message, "content") && *role != "assistant") {
    return invalid_argument(at + " must have content");
  }
  return check_count(at + ".content", entries(message, "content"), limits.parts);
}

}  // namespace

Status check_count(std::string_view name, std::size_t count, std::size_t most) {
  if (count <= most) return ok_status();
  return invalid_argument(std::string(name) + " has " + std::to_string(count) +
                          " entries, but may have " + std::to_string(most));
}

Status check_chat(const json& body, const ApiLimits& limits) {
  const std::size_t num_messages = entries(body, "messages");
  QUIRE_TRY(check_count("messages", num_messages, limits.messages));
  for (std::size_t i = 0; i < num_messages; ++i) {
    QUIRE_TRY(check_message(i, body["messages"][i], limits));
  }
  QUIRE_TRY(check_tools(body, limits));
  return num_messages == 0 ? ok_status() : check_tool_history(body["messages"], limits);
}

}  // namespace quire::openai
