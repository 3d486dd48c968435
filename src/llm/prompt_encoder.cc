#include "quire/prompt_encoder.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/out_of_memory.h"
#include "llm/encoder_parts.h"

namespace quire {
namespace {

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
  if (!parts.chat_format) {
    return invalid_argument("this package has no chat template; give prompts as plain text");
  }
  ChatRenderOptions options = parts.chat_format->options;
  options.tools_json = request.tools_json;
  options.extra_context_json = request.template_context_json;
  QUIRE_ASSIGN(
      const std::vector<TextSpan> spans,
      parts.chat_format->chat_template.render(std::get<std::vector<ChatMessage>>(prompt), options));
  return parts.tokenizer->encode_spans(spans);
}

}  // namespace

PromptEncoder::PromptEncoder(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

bool PromptEncoder::has_chat_template() const { return parts_->chat_format.has_value(); }

const Tokenizer* PromptEncoder::tokenizer() const { return parts_->tokenizer.get(); }

Result<std::vector<TokenId>> PromptEncoder::encode(const GenerateRequest& request) const {
  return fail_if_out_of_memory([&] { return encode_with(*parts_, request); });
}

}  // namespace quire
