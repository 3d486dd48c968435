// Answers the oracle test of chat templates: each input line is {"template", "messages": [{"role",
// "content", ...}], "options": {...}}, each output line {"text", "spans": [[text, trusted]]} or
// {"error"}.
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "quire/chat.h"

namespace {

using Json = nlohmann::ordered_json;

quire::ChatMessage message_of(const Json& json) {
  quire::ChatMessage message;
  if (json.contains("role") && json["role"].is_string()) message.role = json["role"];
  if (json.contains("content") && json["content"].is_string()) message.content = json["content"];
  Json extra = Json::object();
  for (const auto& [key, value] : json.items()) {
    const bool is_plain = (key == "role" || key == "content") && value.is_string();
    if (!is_plain) extra[key] = value;
  }
  if (!extra.empty()) message.extra_json = extra.dump();
  return message;
}

quire::ChatRenderOptions options_of(const Json& json) {
  quire::ChatRenderOptions options;
  options.add_generation_prompt = json.value("add_generation_prompt", true);
  options.bos_token = json.value("bos_token", "");
  options.eos_token = json.value("eos_token", "");
  if (json.contains("tools")) options.tools_json = json["tools"].dump();
  if (json.contains("context")) options.extra_context_json = json["context"].dump();
  if (json.contains("now")) options.now_seconds = json["now"].get<std::int64_t>();
  return options;
}

Json answer(const Json& request) {
  const auto parsed = quire::ChatTemplate::parse(request.at("template").get<std::string>());
  if (!parsed) return {{"error", parsed.error().message()}};
  std::vector<quire::ChatMessage> messages;
  for (const Json& json : request.at("messages")) messages.push_back(message_of(json));
  const auto spans = parsed->render(messages, options_of(request.value("options", Json::object())));
  if (!spans) return {{"error", spans.error().message()}};
  std::string text;
  Json pieces = Json::array();
  for (const quire::TextSpan& span : *spans) {
    text += span.text;
    pieces.push_back(Json::array({span.text, span.trusted}));
  }
  return {{"text", text}, {"spans", pieces}};
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) std::cout << answer(Json::parse(line)).dump() << std::endl;
  return 0;
}
