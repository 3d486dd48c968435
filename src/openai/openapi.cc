#include "openai/openapi.h"

#include <string_view>
#include <vector>

#include "openai/messages_api.h"
#include "openai/nanochat_api.h"
#include "openai/responses_fields.h"
#include "openai/token_api.h"
#include "wire/field_names.h"

namespace quire::openai {
namespace {

using Names = std::vector<std::string_view>;

Names names_of(std::span<const std::string_view> names) { return {names.begin(), names.end()}; }

// Text or a conversation.
Names tokenize_names() {
  Names names = wire::openai_field_names(wire::OpenAiApi::kChat);
  for (const std::string_view name : tokenize_text_field_names()) {
    if (name != "model") names.push_back(name);
  }
  return names;
}

}  // namespace

const std::vector<EndpointFields>& endpoint_fields() {
  const Names& chat = wire::openai_field_names(wire::OpenAiApi::kChat);
  static const std::vector<EndpointFields> endpoints = {
      {"/v1/chat/completions", chat},
      {"/v1/completions", wire::openai_field_names(wire::OpenAiApi::kCompletion)},
      {"/v1/responses", names_of(responses_field_names())},
      {"/v1/messages", names_of(messages_field_names())},
      {"/v1/messages/count_tokens", names_of(messages_field_names())},
      {"/chat/completions", names_of(nanochat_field_names())},
      {"/tokenize", tokenize_names()},
      {"/detokenize", names_of(detokenize_field_names())},
      {"/apply-template", chat}};
  return endpoints;
}

}  // namespace quire::openai
