#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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

// One of the choices of a completion that is not streamed.
nlohmann::ordered_json openai_choice(LineForm form,
                                     const CompletionOutput& sample,
                                     const OpenAiContext& context);

// Log-probabilities as chat or the older completions have them; null for none. `offset`: where the
// first token's text begins in the whole, moved on by all of them.
nlohmann::ordered_json openai_logprobs(LineForm form,
                                       const std::vector<TokenLogprobs>& logprobs,
                                       const OpenAiContext& context,
                                       std::size_t* offset);

// "length" or "stop".
std::string_view openai_finish_reason(FinishReason reason);

}  // namespace quire::wire
