#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "quire/llm.h"
#include "quire/result.h"

namespace quire::cli {

// How prompts given as text become what the model continues.
struct PromptFormat {
  bool chat = false;       // wrap plain text as a user's message
  bool token_ids = false;  // the text is comma-separated ids
};

// One prompt of a command, or why it cannot be one.
using SourcedPrompt = Result<GenerateRequest>;

// A prompt given as text on the command line or as a line of a .txt file.
SourcedPrompt prompt_from_text(const std::string& text,
                               const PromptFormat& format,
                               const SamplingParams& params);

// All prompts of a file: .jsonl, or one prompt a line for any other name and for "-" (stdin), whose
// lines count as JSON when the first begins with "{". Fails only when the file cannot be read; a
// bad line is an error in its own place.
Result<std::vector<SourcedPrompt>> prompts_from_file(const std::string& path,
                                                     const PromptFormat& format,
                                                     const SamplingParams& params);

}  // namespace quire::cli
