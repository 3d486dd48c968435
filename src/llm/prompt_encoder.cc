#include "quire/prompt_encoder.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/out_of_memory.h"
#include "llm/encoder_parts.h"

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

Result<std::vector<TextSpan>> render_with(const PromptEncoder::Parts& parts,
                                          const GenerateRequest& request) {
  const auto* messages = std::get_if<std::vector<ChatMessage>>(&request.prompt);
  if (messages == nullptr) return invalid_argument("a chat template is for messages only");
  if (!parts.chat_format) {
    return invalid_argument("this package has no chat template; give prompts as plain text");
  }
  ChatRenderOptions options = parts.chat_format->options;
  options.tools_json = request.tools_json;
  options.extra_context_json = request.template_context_json;
  options.add_generation_prompt = request.add_generation_prompt && !request.continue_final_message;
  QUIRE_ASSIGN(std::vector<TextSpan> spans,
               parts.chat_format->chat_template.render(*messages, options));
  if (request.continue_final_message) QUIRE_TRY(end_after(*messages, &spans));
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

const Tokenizer* PromptEncoder::tokenizer() const { return parts_->tokenizer.get(); }

Result<std::vector<TokenId>> PromptEncoder::encode(const GenerateRequest& request) const {
  return fail_if_out_of_memory([&] { return encode_with(*parts_, request); });
}

Result<std::vector<TextSpan>> PromptEncoder::render(const GenerateRequest& request) const {
  return fail_if_out_of_memory([&] { return render_with(*parts_, request); });
}

}  // namespace quire
