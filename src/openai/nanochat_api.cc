#include "openai/nanochat_api.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::openai {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// The limits and defaults of nanochat's scripts/chat_web.py.
constexpr std::size_t kMaxMessages = 500;
constexpr std::ptrdiff_t kMaxMessageChars = 8000;
constexpr std::ptrdiff_t kMaxChars = 32000;

struct NumberField {
  std::string_view name;
  double low;
  double high;
  double otherwise;
  bool whole;
};
constexpr std::array kNumbers = {NumberField{"temperature", 0, 2, 0.8, false},
                                 NumberField{"top_k", 0, 200, 50, true},
                                 NumberField{"max_tokens", 1, 4096, 512, true}};
constexpr std::array<std::string_view, 6> kNames = {
    "messages", "temperature", "top_k", "max_tokens", "model", "stream"};

std::string number_text(double number) { return std::to_string(static_cast<int>(number)); }

// Characters, not bytes, as Python counts.
std::ptrdiff_t num_chars(const std::string& text) {
  return std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

Status check_messages(const json& body) {
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array() || messages->empty() ||
      messages->size() > kMaxMessages) {
    return invalid_argument("messages must be a list of 1 to 500 messages");
  }
  std::ptrdiff_t total = 0;
  for (const json& message : *messages) {
    const bool has_fields = message.is_object() && message.size() == 2 &&
                            message.contains("role") && message.contains("content");
    if (!has_fields || !message["content"].is_string() ||
        (message["role"] != "user" && message["role"] != "assistant")) {
      return invalid_argument("messages must have a role, user or assistant, and a text each");
    }
    const std::ptrdiff_t chars = num_chars(message["content"].get_ref<const std::string&>());
    if (chars == 0 || chars > kMaxMessageChars) {
      return invalid_argument("messages must have from 1 to 8000 characters each");
    }
    total += chars;
  }
  if (total <= kMaxChars) return ok_status();
  return invalid_argument("messages may have 32000 characters together");
}

Status read_numbers(const json& body, ordered_json* chat) {
  for (const NumberField& field : kNumbers) {
    const auto found = body.find(std::string(field.name));
    if (found == body.end() || found->is_null()) {
      if (field.whole) {
        (*chat)[std::string(field.name)] = static_cast<int>(field.otherwise);
      } else {
        (*chat)[std::string(field.name)] = field.otherwise;
      }
      continue;
    }
    const bool right = field.whole ? found->is_number_integer() : found->is_number();
    if (!right || *found < field.low || *found > field.high) {
      return invalid_argument(std::string(field.name) + " must be a number from " +
                              number_text(field.low) + " to " + number_text(field.high));
    }
    (*chat)[std::string(field.name)] = *found;
  }
  return ok_status();
}

class NanochatAnswer : public Answer {
 public:
  std::string begin() override { return {}; }
  std::string delta(std::size_t, const TextDelta& delta) override {
    if (delta.kind != PartKind::kText || delta.text.empty()) return {};
    const ordered_json token = {{"token", delta.text}, {"gpu", 0}};
    return event(token.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  }
  std::string end(const std::vector<RequestOutput>&) override { return event(R"({"done": true})"); }
  // Every answer is a stream.
  std::string whole(const std::vector<RequestOutput>& outputs) override { return end(outputs); }
  std::string failure(const ApiError& error) override { return event(error_body(error)); }
};

}  // namespace

std::span<const std::string_view> nanochat_field_names() { return kNames; }

Result<ApiRequest> read_nanochat_request(ApiBody body,
                                         const SamplingParams& defaults,
                                         const Caller&) {
  const json& fields = body.json();
  for (const auto& [name, value] : fields.items()) {
    if (std::ranges::find(kNames, name) != kNames.end()) continue;
    return invalid_argument("the field \"" + name.substr(0, 60) + "\" is not known; leave it out");
  }
  if (fields.contains("stream") && fields["stream"] != true && !fields["stream"].is_null()) {
    return invalid_argument("stream must be true: every answer here is a stream");
  }
  QUIRE_TRY(check_messages(fields));
  ordered_json chat = {{"messages", fields["messages"]}, {"stream", true}};
  QUIRE_TRY(read_numbers(fields, &chat));
  if (fields.contains("model")) chat["model"] = fields["model"];
  QUIRE_ASSIGN(ApiBody as_chat,
               ApiBody::parse(chat.dump(-1, ' ', false, ordered_json::error_handler_t::replace)));
  return read_api_request(wire::LineForm::kOpenAiChat, std::move(as_chat), defaults);
}

std::unique_ptr<Answer> make_nanochat_answer(const ApiRequest&,
                                             std::vector<std::string>,
                                             AnswerContext) {
  return std::make_unique<NanochatAnswer>();
}

}  // namespace quire::openai
