#include "openai/responses_fields.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "wire/structured_json.h"

namespace quire::openai {
namespace {

// Fields that the chat completion has under the same name.
constexpr std::array<std::string_view, 26> kSameAsChat = {"model",
                                                          "max_reasoning_tokens",
                                                          "parallel_tool_calls",
                                                          "stream",
                                                          "temperature",
                                                          "top_p",
                                                          "top_k",
                                                          "min_p",
                                                          "seed",
                                                          "stop",
                                                          "stop_token_ids",
                                                          "ignore_eos",
                                                          "logit_bias",
                                                          "presence_penalty",
                                                          "priority",
                                                          "min_tokens",
                                                          "frequency_penalty",
                                                          "repetition_penalty",
                                                          "cache_salt",
                                                          "timeout_ms",
                                                          "chat_template_kwargs",
                                                          "allowed_token_ids",
                                                          "bad_words",
                                                          "stream_options",
                                                          "skip_special_tokens",
                                                          "include_stop_str_in_output"};
// And those that are read here.
constexpr std::array<std::string_view, 19> kOwn = {"input",
                                                   "instructions",
                                                   "previous_response_id",
                                                   "store",
                                                   "max_output_tokens",
                                                   "top_logprobs",
                                                   "include",
                                                   "text",
                                                   "tools",
                                                   "tool_choice",
                                                   "truncation",
                                                   "reasoning",
                                                   "background",
                                                   "metadata",
                                                   "user",
                                                   "safety_identifier",
                                                   "prompt_cache_key",
                                                   "prompt_cache_retention",
                                                   "service_tier"};
// Known, but not to Quire: said so, since they exist.
constexpr std::array<std::string_view, 5> kNotHere = {
    "conversation", "prompt", "max_tool_calls", "context_management", "moderation"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// Those of the same name, constraints among them; text.format stands for response_format.
const std::vector<std::string_view>& same_as_chat() {
  static const std::vector<std::string_view> all_names = [] {
    std::vector<std::string_view> all(kSameAsChat.begin(), kSameAsChat.end());
    std::ranges::copy_if(wire::structured_field_names(),
                         std::back_inserter(all),
                         [](std::string_view name) { return name != "response_format"; });
    return all;
  }();
  return all_names;
}

}  // namespace

ResponseField response_field(std::string_view name) {
  if (is_one_of(name, kNotHere)) return ResponseField::kNotHere;
  if (is_one_of(name, same_as_chat())) return ResponseField::kSameAsChat;
  return is_one_of(name, kOwn) ? ResponseField::kOwn : ResponseField::kUnknown;
}

std::span<const std::string_view> responses_field_names() {
  static const std::vector<std::string_view> all_names = [] {
    std::vector<std::string_view> all = same_as_chat();
    all.insert(all.end(), kOwn.begin(), kOwn.end());
    return all;
  }();
  return all_names;
}

}  // namespace quire::openai
