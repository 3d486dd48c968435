#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "openai/answer.h"
#include "openai/api_error.h"
#include "openai/api_request.h"

namespace quire::openai {

// OpenAI's Responses: read as the chat completion that means the same, with the conversation of an
// earlier response before it.

// Reads a body of /v1/responses. kNotFound: the response it goes on from is not there.
Result<ApiRequest> read_responses_request(ApiBody body,
                                          const SamplingParams& defaults,
                                          const Caller& caller);

// Puts the finished response into the store of its caller, unless that was not wanted.
std::unique_ptr<Answer> make_responses_answer(const ApiRequest& request,
                                              std::vector<std::string> prompt_texts,
                                              AnswerContext context);

// The page of a response's input items that a query asks for: limit, order, after.
Result<std::string> list_input_items(const StoredResponse& response, std::string_view query);

// {"id","object","deleted"}
std::string deleted_body(const std::string& id);

}  // namespace quire::openai
