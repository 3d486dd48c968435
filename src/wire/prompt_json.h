#pragma once

#include <string>

#include "quire/llm.h"
#include "quire/result.h"

namespace quire::wire {

// A line of a .jsonl file: an object with `prompt`, `messages` or `token_ids`, and sampling fields
// that replace those of `params`. `chat`: a `prompt` is a user's message and no text to continue.
Result<GenerateRequest> prompt_from_json(const std::string& line,
                                         bool chat,
                                         const SamplingParams& params);

}  // namespace quire::wire
