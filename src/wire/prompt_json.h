#pragma once

#include <string>

#include "quire/llm.h"
#include "quire/result.h"

namespace quire::wire {

// How a line of a prompt file is written, and so its answer.
enum class LineForm {
  kQuire,             // docs/guide.md
  kOpenAiChat,        // a line of OpenAI's batch files: custom_id, url and a body
  kOpenAiCompletion,  // the same for the older completions
};

// A line of a .jsonl file: what it asks for, or why it cannot be asked, and what its answer is to
// be known by.
struct PromptLine {
  Result<GenerateRequest> request;
  LineForm form = LineForm::kQuire;
  std::string id_json = {};  // its "id" or "custom_id" as it came, JSON; empty for none
  std::string model = {};    // that a batch line asks for
};

// Reads a line: an object with `prompt`, `messages` or `token_ids`, and fields that replace those
// of `params`; or a line of OpenAI's batch files. `chat`: a `prompt` is a user's message and no
// text to continue.
PromptLine parse_prompt_line(const std::string& line, bool chat, const SamplingParams& params);

}  // namespace quire::wire
