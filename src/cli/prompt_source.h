#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "quire/llm.h"
#include "quire/result.h"
#include "wire/prompt_json.h"

namespace quire::cli {

// How prompts given as text become what the model continues.
struct PromptFormat {
  bool chat = false;       // wrap plain text as a user's message
  bool token_ids = false;  // the text is comma-separated ids
};

// A prompt given as text on the command line or as a line of a .txt file, or why it cannot be one.
wire::PromptLine prompt_from_text(const std::string& text,
                                  const PromptFormat& format,
                                  const SamplingParams& params);

// All prompts of a file, or of standard input for "-". Its lines are JSON if it is named .jsonl or
// .ndjson, in any letter case, or the first that is not blank begins as an object does; else each
// is a prompt. Fails only when the file cannot be read; a bad line is an error in its own place.
Result<std::vector<wire::PromptLine>> prompts_from_file(const std::string& path,
                                                        const PromptFormat& format,
                                                        const SamplingParams& params);

}  // namespace quire::cli
