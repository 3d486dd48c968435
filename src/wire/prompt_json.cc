#include "wire/prompt_json.h"

#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "base/raw_json.h"
#include "wire/request_json.h"

namespace quire::wire {
namespace {

// A failure of a prompt is the caller's mistake, whatever its reader called it.
Status as_usage_error(const Status& status) { return invalid_argument(status.message()); }

Result<GenerateRequest> read_batch_line(const JsonObject& line,
                                        std::string_view raw,
                                        const SamplingParams& params,
                                        PromptLine* out) {
  QUIRE_TRY(line.string("custom_id").error());
  QUIRE_ASSIGN(const std::string method, line.string_or("method", "POST"));
  QUIRE_ASSIGN(const std::string url, line.string_or("url", "/v1/chat/completions"));
  const bool chat = url.ends_with("/chat/completions");
  if (!chat && url.ends_with("/completions")) out->form = LineForm::kOpenAiCompletion;
  if (method != "POST" || !url.ends_with("/completions")) {
    return invalid_argument(
        "a batch line may ask for POST /v1/chat/completions or "
        "/v1/completions, not for " +
        method.substr(0, 16) + " " + url.substr(0, 60));
  }
  QUIRE_ASSIGN(const JsonObject body, line.object("body"));
  QUIRE_ASSIGN(out->model, body.string_or("model", ""));
  return read_openai_request(
      chat ? OpenAiApi::kChat : OpenAiApi::kCompletion, body, raw_field(raw, "body"), params);
}

}  // namespace

PromptLine parse_prompt_line(const std::string& line, bool chat, const SamplingParams& params) {
  PromptLine parsed{.request = invalid_argument("")};
  const auto json = parse_json(line, "the line");
  if (!json) {
    parsed.request = as_usage_error(json.error());
    return parsed;
  }
  const auto object = JsonObject::of(*json, "the line");
  if (!object) {
    parsed.request = as_usage_error(object.error());
    return parsed;
  }
  const bool batch = object->has("custom_id") || object->has("body");
  parsed.id_json = std::string(raw_field(line, batch ? "custom_id" : "id"));
  if (batch) parsed.form = LineForm::kOpenAiChat;
  parsed.request = batch ? read_batch_line(*object, line, params, &parsed)
                         : read_request(*object, line, chat, params);
  if (!parsed.request) parsed.request = as_usage_error(parsed.request.error());
  return parsed;
}

}  // namespace quire::wire
