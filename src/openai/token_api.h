#pragma once

#include <span>
#include <string>
#include <string_view>

#include "openai/api_request.h"
#include "quire/prompt_encoder.h"

namespace quire::openai {

// Endpoints around tokens, which need no step of an engine. Each takes a body and returns one.

// {"prompt" or "content": text, "add_special_tokens"?} or {"messages": ...} to
// {"count", "max_model_len", "tokens"}.
Result<std::string> tokenize(ApiBody body, const PromptEncoder& encoder, int max_model_len);
std::span<const std::string_view> tokenize_text_field_names();  // of the first form
// {"tokens": ids} to {"prompt": text}, and the same as "content".
Result<std::string> detokenize(ApiBody body, const PromptEncoder& encoder, int max_model_len);
std::span<const std::string_view> detokenize_field_names();
// {"messages": ...} to {"prompt": text}, as the model reads it.
Result<std::string> apply_template(ApiBody body, const PromptEncoder& encoder, int max_model_len);

}  // namespace quire::openai
