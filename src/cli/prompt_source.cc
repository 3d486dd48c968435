#include "cli/prompt_source.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <istream>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/sampling_json.h"

namespace quire::cli {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20U;

Result<std::vector<TokenId>> parse_ids(std::string_view text) {
  std::vector<TokenId> ids;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, comma);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    TokenId id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      return invalid_argument("\"" + std::string(word.substr(0, 40)) +
                              "\" is no token id; --token-ids takes ids like 1,42,7");
    }
    ids.push_back(id);
    if (comma == text.size()) return ids;
    text.remove_prefix(comma + 1);
  }
}

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

Result<Prompt> prompt_of(const JsonObject& object, const PromptFormat& format) {
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
  if (!format.chat) return Prompt(std::move(text));
  return Prompt(
      std::vector<ChatMessage>{{.role = "user", .content = std::move(text), .extra_json = {}}});
}

// A failure of a prompt is the caller's mistake, whatever its reader called it.
Status as_usage_error(const Status& status) { return invalid_argument(status.message()); }

Result<std::vector<std::string>> read_lines(std::istream& stream, const std::string& name) {
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(stream, line)) {
    if (line.size() > kMaxLineBytes) return bad_model(name + " has a line of more than 64 MiB");
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (lines.empty() && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    lines.push_back(std::move(line));
  }
  if (stream.bad()) return bad_model("cannot read " + name);
  return lines;
}

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t") == std::string::npos;
}

}  // namespace

SourcedPrompt prompt_from_text(const std::string& text,
                               const PromptFormat& format,
                               const SamplingParams& params) {
  GenerateRequest request{.prompt = text, .params = params};
  if (format.token_ids) {
    QUIRE_ASSIGN(auto ids, parse_ids(text));
    request.prompt = std::move(ids);
  } else if (format.chat) {
    request.prompt = std::vector<ChatMessage>{{.role = "user", .content = text, .extra_json = {}}};
  }
  return request;
}

SourcedPrompt prompt_from_json(const std::string& line,
                               const PromptFormat& format,
                               const SamplingParams& params) {
  GenerateRequest request{.prompt = std::string(), .params = params};
  const auto json = parse_json(line, "the line");
  if (!json) return as_usage_error(json.error());
  const auto object = JsonObject::of(*json, "the line");
  if (!object) return as_usage_error(object.error());
  auto prompt = prompt_of(*object, format);
  if (!prompt) return as_usage_error(prompt.error());
  request.prompt = *std::move(prompt);
  if (Status status = read_sampling_fields(*object, &request); !status.ok()) {
    return as_usage_error(status);
  }
  return request;
}

Result<std::vector<SourcedPrompt>> prompts_from_file(const std::string& path,
                                                     const PromptFormat& format,
                                                     const SamplingParams& params) {
  std::vector<std::string> lines;
  if (path == "-") {
    QUIRE_ASSIGN(lines, read_lines(std::cin, "standard input"));
  } else {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return bad_model(path + " is a folder");
    std::ifstream file(path);
    if (!file)
      return bad_model("cannot read " + path + ": there is no such file, or no permission");
    QUIRE_ASSIGN(lines, read_lines(file, path));
  }
  const bool json =
      path.ends_with(".jsonl") || (path == "-" && !lines.empty() && lines.front().starts_with("{"));
  std::vector<SourcedPrompt> prompts;
  for (const std::string& line : lines) {
    if (is_blank(line)) continue;
    prompts.push_back(json ? prompt_from_json(line, format, params)
                           : prompt_from_text(line, format, params));
  }
  return prompts;
}

}  // namespace quire::cli
