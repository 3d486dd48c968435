#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/content_parts.h"
#include "chat/interpreter.h"
#include "chat/objects.h"
#include "chat/own_texts.h"
#include "chat/parser.h"
#include "chat/runtime.h"
#include "quire/chat.h"

namespace quire {
namespace {

using chat::Dict;
using chat::Scope;
using chat::Text;
using chat::Value;

constexpr std::size_t kMaxSteps = 2000000;
constexpr std::size_t kMaxOutputBytes = std::size_t{4} << 20U;
constexpr std::size_t kOutputPerInput = 4;

// What callers may not replace by a variable of their own.
bool is_reserved(std::string_view name) {
  return name == "messages" || name == "tools" || name == "documents" || name == "bos_token" ||
         name == "eos_token" || name == "add_generation_prompt" || name == "raise_exception" ||
         name == "namespace" || name == "range" || name == "strftime_now" || name == "dict";
}

Result<Value> message_value(const ChatMessage& message, bool joins_parts) {
  if (find_invalid_utf8(message.role) != std::string_view::npos ||
      find_invalid_utf8(message.content) != std::string_view::npos) {
    return invalid_argument("a message is not UTF-8");
  }
  Dict dict;
  dict.set(Value::text("role", false), Value::text(message.role, false));
  dict.set(Value::text("content", false), Value::text(message.content, false));
  if (!message.extra_json.empty()) {
    QUIRE_ASSIGN(const Value extra, chat::value_of_json(message.extra_json, "a message"));
    if (!extra.is(Value::Kind::kDict)) {
      return invalid_argument("further fields of a message must be a JSON object");
    }
    for (const auto& [key, value] : extra.as_dict().items) {
      // Keys of one JSON object are distinct, so only the two above can be met again.
      const std::string& name = key.as_text().bytes;
      if (name == "content" && joins_parts) {
        QUIRE_ASSIGN(const Value content, chat::content_as_string(value));
        dict.set(key, content);
      } else if (name == "role" || name == "content") {
        dict.set(key, value);
      } else {
        dict.items.emplace_back(key, value);
      }
    }
  }
  return make_dict(std::move(dict));
}

Result<Value> messages_value(std::span<const ChatMessage> messages, bool joins_parts) {
  std::vector<Value> items;
  items.reserve(messages.size());
  for (const ChatMessage& message : messages) {
    QUIRE_ASSIGN(Value value, message_value(message, joins_parts));
    items.push_back(std::move(value));
  }
  return chat::make_list(std::move(items));
}

Status add_context(const std::string& json, Scope* scope) {
  if (json.empty()) return ok_status();
  QUIRE_ASSIGN(const Value extra, chat::value_of_json(json, "the template's extra context"));
  if (!extra.is(Value::Kind::kDict)) {
    return invalid_argument("the template's extra context must be a JSON object");
  }
  for (const auto& [key, value] : extra.as_dict().items) {
    const std::string& name = key.as_text().bytes;
    if (is_reserved(name)) {
      return invalid_argument("chat_template_kwargs must not set '" + name +
                              "'; the request has fields for it");
    }
    scope->variables.emplace_back(name, value);
  }
  return ok_status();
}

Status add_options(const ChatRenderOptions& options, Scope* scope) {
  scope->set("add_generation_prompt", Value::boolean(options.add_generation_prompt));
  scope->set("documents", Value::none());
  scope->set("tools", Value::none());
  if (!options.tools_json.empty()) {
    QUIRE_ASSIGN(const Value tools, chat::value_of_json(options.tools_json, "the list of tools"));
    if (!tools.is(Value::Kind::kList)) {
      return invalid_argument("the list of tools must be a JSON array");
    }
    scope->set("tools", tools);
  }
  for (const auto& [name, token] :
       {std::pair("bos_token", &options.bos_token), std::pair("eos_token", &options.eos_token)}) {
    if (find_invalid_utf8(*token) != std::string_view::npos) {
      return invalid_argument(std::string(name) + " is not UTF-8");
    }
    if (!token->empty()) scope->set(name, Value::text(*token, true));
  }
  return ok_status();
}

std::size_t input_bytes(std::span<const ChatMessage> messages, const ChatRenderOptions& options) {
  std::size_t bytes = options.tools_json.size() + options.extra_context_json.size();
  for (const ChatMessage& message : messages) {
    bytes += message.role.size() + message.content.size() + message.extra_json.size();
  }
  return bytes;
}

std::vector<TextSpan> spans_of(const Text& text) {
  std::vector<TextSpan> spans;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = text.marks.find_first_not_of(text.marks[at], at);
    if (end == std::string::npos) end = text.size();
    spans.push_back({text.bytes.substr(at, end - at), text.marks[at] == Text::kTrusted});
    at = end;
  }
  return spans;
}

std::int64_t clock_seconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

}  // namespace

struct ChatTemplate::Program {
  chat::Block block;
  bool takes_parts = false;  // of a message's content
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  QUIRE_ASSIGN(chat::Block block, chat::parse_template(source));
  auto program = std::make_unique<Program>();
  program->takes_parts = chat::takes_content_parts(block);
  program->block = std::move(block);
  return ChatTemplate(std::move(program));
}

std::vector<std::string> ChatTemplate::own_texts() const {
  return chat::own_texts(program_->block);
}

Result<std::vector<TextSpan>> ChatTemplate::render(std::span<const ChatMessage> messages,
                                                   const ChatRenderOptions& options) const {
  Scope variables;
  const bool joins_parts = options.join_text_parts && !program_->takes_parts;
  QUIRE_ASSIGN(const Value list, messages_value(messages, joins_parts));
  variables.set("messages", list);
  QUIRE_TRY(add_options(options, &variables));
  QUIRE_TRY(add_context(options.extra_context_json, &variables));
  const std::size_t max_text = kMaxOutputBytes + kOutputPerInput * input_bytes(messages, options);
  const std::int64_t now = options.now_seconds ? *options.now_seconds : clock_seconds();
  chat::Interpreter interpreter({chat::Budget(kMaxSteps, max_text), now});
  QUIRE_ASSIGN(const Text text, interpreter.run(program_->block, variables));
  return spans_of(text);
}

}  // namespace quire
