#include "wire/field_names.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "wire/structured_json.h"

namespace quire::wire {
namespace {

using Names = std::vector<std::string_view>;

constexpr std::array<std::string_view, 9> kWithoutEffect = {"model",
                                                            "user",
                                                            "metadata",
                                                            "store",
                                                            "service_tier",
                                                            "safety_identifier",
                                                            "prompt_cache_key",
                                                            "prompt_cache_retention",
                                                            "stream_options"};

Names names_of(OpenAiApi api) {
  Names names = sampling_field_names();
  names.insert(names.end(), kWithoutEffect.begin(), kWithoutEffect.end());
  names.insert(names.end(), {"stream", "max_completion_tokens", "best_of", "top_logprobs"});
  const Names& structured = structured_field_names();
  names.insert(names.end(), structured.begin(), structured.end());
  if (api == OpenAiApi::kCompletion) {
    names.insert(names.end(), {"prompt", "echo"});
  } else {
    names.insert(names.end(),
                 {"messages",
                  "modalities",
                  "tools",
                  "tool_choice",
                  "parallel_tool_calls",
                  "reasoning_effort",
                  "add_generation_prompt",
                  "continue_final_message",
                  "chat_template_kwargs"});
  }
  return names;
}

}  // namespace

const Names& openai_field_names(OpenAiApi api) {
  static const Names kChat = names_of(OpenAiApi::kChat);
  static const Names kCompletion = names_of(OpenAiApi::kCompletion);
  return api == OpenAiApi::kChat ? kChat : kCompletion;
}

const Names& sampling_field_names() {
  static const Names kNames = {"n",
                               "max_tokens",
                               "min_tokens",
                               "temperature",
                               "top_k",
                               "top_p",
                               "min_p",
                               "presence_penalty",
                               "frequency_penalty",
                               "repetition_penalty",
                               "seed",
                               "stop",
                               "stop_token_ids",
                               "ignore_eos",
                               "include_stop_str_in_output",
                               "skip_special_tokens",
                               "logit_bias",
                               "allowed_token_ids",
                               "bad_words",
                               "logprobs",
                               "prompt_logprobs",
                               "priority",
                               "cache_salt",
                               "timeout_ms",
                               "max_reasoning_tokens"};
  return kNames;
}

bool is_without_effect(std::string_view field) {
  return std::ranges::find(kWithoutEffect, field) != kWithoutEffect.end();
}

}  // namespace quire::wire
