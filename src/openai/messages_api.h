#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "openai/answer.h"
#include "openai/api_error.h"
#include "openai/api_request.h"
#include "quire/prompt_encoder.h"

namespace quire::openai {

// Anthropic's Messages, which coding tools speak: read as the chat completion that means the same,
// so that one validator serves both.

// Reads a body of /v1/messages. A first line of the system prompt that is a client's billing header
// is left out: it differs from request to request, and no prefix could be shared.
Result<ApiRequest> read_messages_request(ApiBody body,
                                         const SamplingParams& defaults,
                                         const Caller& caller);

// The fields that such a body may have.
std::span<const std::string_view> messages_field_names();

std::unique_ptr<Answer> make_messages_answer(const ApiRequest& request,
                                             std::vector<std::string> prompt_texts,
                                             AnswerContext context);

// {"type":"error","error":{"type","message"}}
std::string messages_error_body(const ApiError& error);

// The body of /v1/messages/count_tokens: {"input_tokens"}.
Result<std::string> count_message_tokens(ApiBody body,
                                         const PromptEncoder& encoder,
                                         int max_model_len);

}  // namespace quire::openai
