#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "quire/output.h"
#include "quire/tokenizer.h"
#include "wire/prompt_json.h"

namespace quire::wire {

// What OpenAI's objects say beside the answer.
struct OpenAiContext {
  std::string model;                     // as asked for, or the package's name
  std::int64_t created = 0;              // seconds since 1970
  const Tokenizer* tokenizer = nullptr;  // for the texts of log-probabilities; may be null
};

// The line of OpenAI's batch output files for the line at `index`: its custom_id, and the response
// that a server would have sent, a chat completion, a completion or an error.
std::string openai_batch_json(std::size_t index,
                              const PromptLine& line,
                              const RequestOutput& output,
                              const OpenAiContext& context);

}  // namespace quire::wire
