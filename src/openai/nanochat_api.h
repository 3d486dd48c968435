#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "openai/answer.h"
#include "openai/api_request.h"

namespace quire::openai {

// What nanochat's own server spoke until its authors removed it, for the pages and scripts that
// still do: a conversation of users and assistants, answered as a stream of
// {"token": text, "gpu": 0} and {"done": true}.

Result<ApiRequest> read_nanochat_request(ApiBody body,
                                         const SamplingParams& defaults,
                                         const Caller& caller);

// The fields that such a body may have.
std::span<const std::string_view> nanochat_field_names();

std::unique_ptr<Answer> make_nanochat_answer(const ApiRequest& request,
                                             std::vector<std::string> prompt_texts,
                                             AnswerContext context);

}  // namespace quire::openai
