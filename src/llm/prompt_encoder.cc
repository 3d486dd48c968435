#include "quire/prompt_encoder.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/out_of_memory.h"
#include "base/raw_json.h"
#include "llm/encoder_parts.h"
#include "reasoning/reasoning.h"
#include "tool_calls/format.h"

namespace quire {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// Cuts a rendered conversation behind the text of its last message, whose marks of an end would
// keep the model from going on. Templates may strip a content's blanks.
Status end_after(const std::vector<ChatMessage>& messages, std::vector<TextSpan>* spans) {
  std::string_view content = messages.empty() ? std::string_view() : messages.back().content;
  const std::size_t first = content.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return invalid_argument("continue_final_message needs a last message with text");
  }
  content.remove_prefix(first);
  const std::size_t length = content.find_last_not_of(kBlanks) + 1;
  while (!spans->empty()) {
    TextSpan& last = spans->back();
    const std::size_t at =
        last.trusted ? std::string::npos : last.text.rfind(content.substr(0, length));
    if (at == std::string::npos) {
      spans->pop_back();
      continue;
    }
    // The blanks at the content's end, where they have survived.
    std::size_t end = at + length;
    for (std::size_t i = length; i < content.size() && end < last.text.size(); ++i, ++end) {
      if (last.text[end] != content[i]) break;
    }
    last.text.resize(end);
    return ok_status();
  }
  return invalid_argument(
      "continue_final_message cannot be done: the chat template changes the last message");
}

// A message's calls with their arguments as the template wants them: clients send the text of an
// object, most templates print an object.
Result<std::string> with_arguments(const std::string& extra_json, bool as_text) {
  std::vector<std::pair<std::string_view, std::string>> replaced;
  for (const std::string_view call : raw_items(raw_field(extra_json, "tool_calls"))) {
    const std::string_view arguments = raw_field(raw_field(call, "function"), "arguments");
    if (arguments.starts_with('{') && as_text) {
      replaced.emplace_back(arguments, nlohmann::json(std::string(arguments)).dump());
    }
    if (!arguments.starts_with('"') || as_text) continue;
    QUIRE_ASSIGN(const auto text, parse_json(arguments, "the arguments of a call"));
    std::string object = text.get<std::string>();
    if (object.find_first_not_of(kBlanks) == std::string::npos) object = "{}";
    const auto parsed = parse_json(object, "the arguments of a call");
    if (parsed && parsed->is_object()) replaced.emplace_back(arguments, std::move(object));
  }
  return raw_with(extra_json, replaced);
}

// An id that Mistral's templates take: nine letters and digits. Others become such, equal ones the
// same.
std::string short_id(std::string_view id_json) {
  const std::string_view id = id_json.size() < 2 ? id_json : id_json.substr(1, id_json.size() - 2);
  const bool fits = id.size() == 9 &&
                    std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) != 0; });
  if (fits) return std::string(id_json);
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  std::string text;
  for (int i = 0; i < 9; ++i, hash /= kDigits.size()) text += kDigits[hash % kDigits.size()];
  return "\"" + text + "\"";
}

std::string with_short_ids(const std::string& extra_json) {
  std::vector<std::pair<std::string_view, std::string>> replaced;
  for (const auto& [name, value] : raw_fields(extra_json)) {
    if (name == "tool_call_id") replaced.emplace_back(value, short_id(value));
    if (name != "tool_calls") continue;
    for (const std::string_view call : raw_items(value)) {
      const std::string_view id = raw_field(call, "id");
      if (!id.empty()) replaced.emplace_back(id, short_id(id));
    }
  }
  return raw_with(extra_json, replaced);
}

// Calls and results as the template wants them.
Status fit_tools(const ToolSupport& support, std::vector<ChatMessage>* messages) {
  const auto format = tool_calls::format_of_name(support.format);
  const bool wants_short_ids = format && tool_calls::is_mistral(*format);
  for (ChatMessage& message : *messages) {
    if (message.extra_json.find("tool_call") == std::string::npos) continue;
    QUIRE_ASSIGN(message.extra_json, with_arguments(message.extra_json, support.text_arguments));
    if (wants_short_ids) message.extra_json = with_short_ids(message.extra_json);
  }
  return ok_status();
}

std::string start_of_answer(const PromptEncoder::Parts& parts, const GenerateRequest& request) {
  const auto format = tool_calls::format_of_name(parts.tool_support.format);
  if (!request.tool_choice.required || !format) return {};
  return tool_calls::call_start(*format, request.tool_choice.function);
}

// A call stands behind the thoughts, which the template may have begun.
Status end_thoughts(const PromptEncoder::Parts& parts, std::vector<TextSpan>* spans) {
  const auto markers = find_reasoning_markers(parts.tokenizer.get());
  if (!markers) return ok_status();
  QUIRE_ASSIGN(const std::vector<TokenId> ids, parts.tokenizer->encode_spans(*spans));
  if (ends_in_reasoning(*markers, *parts.tokenizer, ids)) {
    spans->push_back({.text = markers->close + "\n\n", .trusted = true});
  }
  return ok_status();
}

Result<std::vector<TextSpan>> render_with(const PromptEncoder::Parts& parts,
                                          const GenerateRequest& request) {
  const auto* given = std::get_if<std::vector<ChatMessage>>(&request.prompt);
  if (given == nullptr) return invalid_argument("a chat template is for messages only");
  if (!parts.chat_format) {
    return invalid_argument("this package has no chat template; give prompts as plain text");
  }
  ChatRenderOptions options = parts.chat_format->options;
  options.tools_json = request.tools_json;
  options.extra_context_json = request.template_context_json;
  options.add_generation_prompt = request.add_generation_prompt && !request.continue_final_message;
  if (!request.tools_json.empty() && !parts.tool_support.in_template) {
    return invalid_argument(
        "tools cannot be given to this model: its chat template knows none; leave them out");
  }
  std::vector<ChatMessage> messages = *given;
  QUIRE_TRY(fit_tools(parts.tool_support, &messages));
  QUIRE_ASSIGN(std::vector<TextSpan> spans,
               parts.chat_format->chat_template.render(messages, options));
  if (request.continue_final_message) QUIRE_TRY(end_after(messages, &spans));
  const std::string start = start_of_answer(parts, request);
  if (request.tool_choice.required) {
    if (start.empty()) {
      return invalid_argument(
          "tool_choice cannot force a call: how this model writes calls is not known; leave it "
          "out");
    }
    QUIRE_TRY(end_thoughts(parts, &spans));
    spans.push_back({.text = start, .trusted = true});
  }
  return spans;
}

Result<std::vector<TokenId>> encode_with(const PromptEncoder::Parts& parts,
                                         const GenerateRequest& request) {
  const Prompt& prompt = request.prompt;
  const bool chat = std::holds_alternative<std::vector<ChatMessage>>(prompt);
  if (!chat && (!request.tools_json.empty() || !request.template_context_json.empty())) {
    return invalid_argument("tools and variables of a chat template are for messages only");
  }
  if (const auto* ids = std::get_if<std::vector<TokenId>>(&prompt)) return *ids;
  if (parts.tokenizer == nullptr) {
    return invalid_argument("this package has no tokenizer; give prompts as token ids");
  }
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    // What the reference puts around every text, a beginning-of-sequence id for most.
    QUIRE_ASSIGN(std::vector<TokenId> ids, parts.tokenizer->encode_special(""));
    if (ids.empty()) ids = parts.text_prefix;
    QUIRE_ASSIGN(const std::vector<TokenId> text_ids, parts.tokenizer->encode(*text));
    ids.insert(ids.end(), text_ids.begin(), text_ids.end());
    return ids;
  }
  QUIRE_ASSIGN(const std::vector<TextSpan> spans, render_with(parts, request));
  return parts.tokenizer->encode_spans(spans);
}

}  // namespace

PromptEncoder::PromptEncoder(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

Result<std::shared_ptr<const Constraint>> PromptEncoder::compile(
    const SamplingParams& params) const {
  const StructuredOutput& output = params.structured_output;
  if (output.empty()) return std::shared_ptr<const Constraint>();
  auto constraint = parts_->constraints.compile(output, parts_->tokenizer.get());
  if (constraint || output.field.empty()) return constraint;
  return constraint.error().with_context(output.field);
}

bool PromptEncoder::has_chat_template() const { return parts_->chat_format.has_value(); }

const ToolSupport& PromptEncoder::tool_support() const { return parts_->tool_support; }

std::string PromptEncoder::answer_start(const GenerateRequest& request) const {
  return start_of_answer(*parts_, request);
}

const Tokenizer* PromptEncoder::tokenizer() const { return parts_->tokenizer.get(); }

Result<std::vector<TokenId>> PromptEncoder::encode(const GenerateRequest& request) const {
  return fail_if_out_of_memory([&] { return encode_with(*parts_, request); });
}

Result<std::vector<TextSpan>> PromptEncoder::render(const GenerateRequest& request) const {
  return fail_if_out_of_memory([&] { return render_with(*parts_, request); });
}

}  // namespace quire
