#pragma once

#include <string_view>
#include <vector>

#include "base/json.h"
#include "quire/llm.h"
#include "wire/field_names.h"

namespace quire::wire {

// What a request asks for, under our own names of fields; `raw` is the text of `object`. `chat`: a
// `prompt` is a user's message. Fields that are not known are an error: they would be ignored.
Result<GenerateRequest> read_request(const JsonObject& object,
                                     std::string_view raw,
                                     bool chat,
                                     const SamplingParams& params);

// The same under OpenAI's names, ours beside them. What the engine cannot do is refused, what
// changes nothing in an answer (user, metadata, store) is skipped.
Result<GenerateRequest> read_openai_request(OpenAiApi api,
                                            const JsonObject& object,
                                            std::string_view raw,
                                            const SamplingParams& params);

// The prompts of a request for completions: a text, ids, or a list of texts or of lists of ids.
Result<std::vector<Prompt>> read_completion_prompts(const JsonObject& object);

}  // namespace quire::wire
