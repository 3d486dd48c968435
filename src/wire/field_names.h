#pragma once

#include <string_view>
#include <vector>

namespace quire::wire {

// A request of OpenAI's API as one is sent to it, chat or the older completions.
enum class OpenAiApi { kChat, kCompletion };

// Every field that a request may have. What reads one looks here first, so that a field that is
// missing here is refused as unknown, and the description of the API can be held against it.
const std::vector<std::string_view>& openai_field_names(OpenAiApi api);

// The fields of SamplingParams and GenerateRequest among them, under our own names.
const std::vector<std::string_view>& sampling_field_names();

// Fields of OpenAI's that say nothing of what the answer is to be.
bool is_without_effect(std::string_view field);

}  // namespace quire::wire
