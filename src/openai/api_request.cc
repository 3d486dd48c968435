#include "openai/api_request.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/raw_json.h"
#include "openai/chat_rules.h"
#include "wire/request_json.h"

namespace quire::openai {
namespace {

using nlohmann::json;
using wire::LineForm;

Result<bool> read_switch(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return false;
  if (!found->is_boolean()) return invalid_argument(std::string(name) + " must be true or false");
  return found->get<bool>();
}

Status read_stream_options(const json& body, ApiRequest* request) {
  const auto options = body.find("stream_options");
  if (options == body.end() || options->is_null()) return ok_status();
  if (!options->is_object()) return invalid_argument("stream_options must be an object");
  if (!request->stream) return invalid_argument("stream_options needs stream: true");
  for (const auto& [name, value] : options->items()) {
    // Padding against those who measure the size of packets; there is none to switch off.
    if (name == "include_obfuscation" && value.is_boolean()) continue;
    if (name != "include_usage" && name != "continuous_usage_stats") {
      return invalid_argument("stream_options has the field \"" + name.substr(0, 60) +
                              "\", which is not known; leave it out");
    }
  }
  const auto usage = read_switch(*options, "include_usage");
  if (!usage) return invalid_argument("stream_options: " + usage.error().message());
  request->include_usage = *usage;
  const auto continuous = read_switch(*options, "continuous_usage_stats");
  if (!continuous) return invalid_argument("stream_options: " + continuous.error().message());
  request->continuous_usage = *usage && *continuous;
  return ok_status();
}

// What concerns the answer's form and not what the engine computes.
Status read_form(ApiBody* body, ApiRequest* request) {
  const json& fields = body->json();
  request->model = body->model();
  QUIRE_ASSIGN(request->stream, read_switch(fields, "stream"));
  QUIRE_TRY(read_stream_options(fields, request));
  std::vector<std::string> taken = {"stream", "stream_options"};
  if (request->form == LineForm::kOpenAiCompletion) {
    QUIRE_ASSIGN(request->echo, read_switch(fields, "echo"));
    taken.emplace_back("echo");
    if (fields.contains("max_tokens") && fields["max_tokens"] == 0) {
      if (!request->echo) return invalid_argument("max_tokens must be 1 at least without echo");
      request->prompt_only = true;
      taken.emplace_back("max_tokens");
    }
  }
  body->remove(taken);
  return ok_status();
}

// The prompt's log-probabilities belong to an echo of it.
Status read_echo(ApiRequest* request, GenerateRequest* prompt) {
  if (request->prompt_only) prompt->params.max_tokens = 1;
  if (!request->echo || !prompt->params.logprobs) return ok_status();
  if (request->stream) return invalid_argument("echo with logprobs cannot be streamed");
  prompt->params.prompt_logprobs = prompt->params.logprobs;
  return ok_status();
}

}  // namespace

Result<ApiBody> ApiBody::parse(std::string text) {
  ApiBody body;
  QUIRE_ASSIGN(body.json_, parse_json(text, "the body"));
  if (!body.json_.is_object()) return invalid_argument("the body must be a JSON object");
  const auto model = body.json_.find("model");
  if (model != body.json_.end() && !model->is_string() && !model->is_null()) {
    return invalid_argument("model must be a string");
  }
  body.text_ = std::move(text);
  return body;
}

std::string ApiBody::model() const {
  const auto found = json_.find("model");
  return found == json_.end() || !found->is_string() ? "" : found->get<std::string>();
}

void ApiBody::remove(const std::vector<std::string>& names) {
  for (const std::string& name : names) json_.erase(name);
  text_ = raw_object_without(text_, names);
}

int ApiRequest::num_samples() const {
  int count = 0;
  for (const GenerateRequest& request : requests) count += request.params.n;
  return count;
}

Result<ApiRequest> read_api_request(LineForm form,
                                    ApiBody body,
                                    const SamplingParams& defaults,
                                    const ApiLimits& limits) {
  ApiRequest request{.form = form};
  QUIRE_TRY(check_chat(body.json(), limits));
  QUIRE_TRY(read_form(&body, &request));
  std::vector<Prompt> prompts;
  if (form == LineForm::kOpenAiCompletion) {
    QUIRE_ASSIGN(const JsonObject object, JsonObject::of(body.json(), "the body"));
    QUIRE_ASSIGN(prompts, wire::read_completion_prompts(object));
    QUIRE_TRY(check_count("prompt", prompts.size(), limits.prompts));
  }
  if (prompts.size() > 1) {  // they share everything else, which is read once
    const std::string rest = raw_object_without(body.text(), {"prompt"});
    const std::string text =
        rest == "{}" ? R"({"prompt":""})" : R"({"prompt":"",)" + rest.substr(1);
    QUIRE_ASSIGN(body, ApiBody::parse(text));
  }
  QUIRE_ASSIGN(const JsonObject object, JsonObject::of(body.json(), "the body"));
  const auto api =
      form == LineForm::kOpenAiChat ? wire::OpenAiApi::kChat : wire::OpenAiApi::kCompletion;
  QUIRE_ASSIGN(GenerateRequest first,
               wire::read_openai_request(api, object, body.text(), defaults));
  QUIRE_TRY(read_echo(&request, &first));
  if (first.params.n > limits.samples) {
    return invalid_argument("n is " + std::to_string(first.params.n) + ", but may be " +
                            std::to_string(limits.samples));
  }
  for (std::size_t i = 1; i < prompts.size(); ++i) {
    request.requests.push_back(first);
    request.requests.back().prompt = std::move(prompts[i]);
  }
  if (prompts.size() > 1) first.prompt = std::move(prompts.front());
  request.requests.insert(request.requests.begin(), std::move(first));
  return request;
}

}  // namespace quire::openai
