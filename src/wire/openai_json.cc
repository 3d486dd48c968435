#include "wire/openai_json.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quire::wire {
namespace {

using nlohmann::ordered_json;

// OpenAI's number for a token that cannot occur; JSON has no infinities.
constexpr float kImpossible = -9999.0F;

float finite(float logprob) { return std::isfinite(logprob) ? logprob : kImpossible; }

std::string token_text(const OpenAiContext& context, TokenId id) {
  return context.tokenizer == nullptr ? std::to_string(id) : context.tokenizer->token_bytes(id);
}

ordered_json token_json(const OpenAiContext& context, TokenId id, float logprob) {
  const std::string text = token_text(context, id);
  ordered_json bytes = ordered_json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", text}, {"logprob", finite(logprob)}, {"bytes", std::move(bytes)}};
}

ordered_json chat_logprobs(const OpenAiContext& context,
                           const std::vector<TokenLogprobs>& logprobs) {
  ordered_json content = ordered_json::array();
  for (const TokenLogprobs& entry : logprobs) {
    ordered_json token = token_json(context, entry.token, entry.logprob);
    token["top_logprobs"] = ordered_json::array();
    for (const auto& [id, logprob] : entry.top) {
      token["top_logprobs"].push_back(token_json(context, id, logprob));
    }
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

ordered_json completion_logprobs(const OpenAiContext& context,
                                 const std::vector<TokenLogprobs>& logprobs,
                                 std::size_t* offset) {
  ordered_json json = {{"tokens", ordered_json::array()},
                       {"token_logprobs", ordered_json::array()},
                       {"top_logprobs", ordered_json::array()},
                       {"text_offset", ordered_json::array()}};
  for (const TokenLogprobs& entry : logprobs) {
    const std::string text = token_text(context, entry.token);
    ordered_json top = ordered_json::object();
    for (const auto& [id, logprob] : entry.top) top[token_text(context, id)] = finite(logprob);
    json["tokens"].push_back(text);
    // The first token of an echoed prompt has no log-probability.
    const bool has_none = std::isnan(entry.logprob);
    json["token_logprobs"].push_back(has_none ? ordered_json()
                                              : ordered_json(finite(entry.logprob)));
    json["top_logprobs"].push_back(has_none ? ordered_json() : std::move(top));
    json["text_offset"].push_back(*offset);
    *offset += text.size();
  }
  return json;
}

}  // namespace

ordered_json openai_logprobs(LineForm form,
                             const std::vector<TokenLogprobs>& logprobs,
                             const OpenAiContext& context,
                             std::size_t* offset) {
  if (logprobs.empty()) return nullptr;
  if (form == LineForm::kOpenAiChat) return chat_logprobs(context, logprobs);
  return completion_logprobs(context, logprobs, offset);
}

std::string_view openai_finish_reason(FinishReason reason) {
  return reason == FinishReason::kLength ? "length" : "stop";
}

ordered_json openai_choice(LineForm form,
                           const CompletionOutput& sample,
                           const OpenAiContext& context) {
  std::size_t offset = 0;
  ordered_json logprobs = openai_logprobs(form, sample.logprobs, context, &offset);
  const std::string_view reason = openai_finish_reason(sample.finish_reason);
  if (form == LineForm::kOpenAiCompletion) {
    return {{"index", sample.index},
            {"text", sample.text},
            {"logprobs", std::move(logprobs)},
            {"finish_reason", reason}};
  }
  ordered_json message = {{"role", "assistant"}, {"content", sample.text}, {"refusal", nullptr}};
  if (!sample.tool_calls.empty() && sample.text.empty()) message["content"] = nullptr;
  for (const ToolCall& call : sample.tool_calls) {
    const std::string number = std::to_string(message.value("tool_calls", ordered_json()).size());
    message["tool_calls"].push_back(
        {{"id", "call_" + std::to_string(sample.index) + "_" + number},
         {"type", "function"},
         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  const bool called = !sample.tool_calls.empty() && sample.finish_reason == FinishReason::kStop;
  return {{"index", sample.index},
          {"message", std::move(message)},
          {"logprobs", std::move(logprobs)},
          {"finish_reason", called ? "tool_calls" : reason}};
}

namespace {

ordered_json completion_json(std::size_t index,
                             LineForm form,
                             const RequestOutput& output,
                             const OpenAiContext& context) {
  const bool chat = form == LineForm::kOpenAiChat;
  std::int64_t completion_tokens = 0;
  ordered_json choices = ordered_json::array();
  for (const CompletionOutput& sample : output.outputs) {
    completion_tokens += static_cast<std::int64_t>(sample.token_ids.size());
    choices.push_back(openai_choice(form, sample, context));
  }
  return {{"id", (chat ? "chatcmpl-" : "cmpl-") + std::to_string(index)},
          {"object", chat ? "chat.completion" : "text_completion"},
          {"created", context.created},
          {"model", context.model},
          {"choices", std::move(choices)},
          {"usage",
           {{"prompt_tokens", output.num_prompt_tokens},
            {"completion_tokens", completion_tokens},
            {"total_tokens", output.num_prompt_tokens + completion_tokens},
            {"prompt_tokens_details", {{"cached_tokens", output.num_cached_tokens}}}}}};
}

ordered_json error_json(const Status& error) {
  const bool callers = error.code() == StatusCode::kInvalidArgument;
  return {{"error",
           {{"message", error.message()},
            {"type", callers ? "invalid_request_error" : "server_error"},
            {"param", nullptr},
            {"code", status_code_name(error.code())}}}};
}

int http_code(const Status& error) {
  if (error.ok()) return 200;
  return error.code() == StatusCode::kInvalidArgument ? 400 : 500;
}

}  // namespace

std::string openai_batch_json(std::size_t index,
                              const PromptLine& line,
                              const RequestOutput& output,
                              const OpenAiContext& context) {
  const std::string number = std::to_string(index);
  const ordered_json response = {
      {"status_code", http_code(output.error)},
      {"request_id", "req-" + number},
      {"body",
       output.error.ok() ? completion_json(index, line.form, output, context)
                         : error_json(output.error)}};
  // The custom_id is text as it came; a line without one could not be told from others.
  const std::string custom_id = line.id_json.empty() ? "null" : line.id_json;
  return R"({"id":"batch_req_)" + number + R"(","custom_id":)" + custom_id + R"(,"response":)" +
         response.dump(-1, ' ', false, ordered_json::error_handler_t::replace) +
         R"(,"error":null})";
}

}  // namespace quire::wire
