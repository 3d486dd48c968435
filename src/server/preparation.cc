#include "server/preparation.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace quire::server {
namespace {

using openai::ApiBody;
using openai::ApiError;
using openai::ApiRequest;

constexpr int kCompletionTokens = 16;  // OpenAI's own default for text completions

ApiError error_of(const Status& status, const nlohmann::json& body) {
  ApiError error = openai::api_error(status);
  if (error.status == 400 || error.status == 404)
    error.param = openai::field_at_fault(error.message, body);
  return error;
}

SamplingParams defaults_of(const GenerationApi& api, const ModelFacts& facts) {
  SamplingParams params = facts.defaults;
  params.max_tokens = facts.default_max_tokens.value_or(
      api.to_the_end ? std::numeric_limits<int>::max() : kCompletionTokens);
  // Thoughts could not be told from the answer without their markers.
  if (api.tells_thoughts && facts.reasoning && facts.reasoning->special) {
    params.skip_special_tokens = false;
  }
  return params;
}

std::optional<ApiError> check_length(const std::vector<TokenId>& ids, const ModelFacts& facts) {
  const auto room = std::min<std::int64_t>(facts.max_seq_len - 1, facts.cache_tokens);
  if (static_cast<std::int64_t>(ids.size()) <= room) return std::nullopt;
  return ApiError{.message = "the prompt has " + std::to_string(ids.size()) +
                             " tokens, but may have " + std::to_string(room) + " here",
                  .param = "messages",
                  .code = "context_length_exceeded"};
}

// The ids of a prompt, the first ones known already where a conversation goes on.
Result<std::vector<TokenId>> ids_of(const GenerateRequest& request, Prepared* prepared) {
  const PromptEncoder& encoder = prepared->model->facts().encoder;
  const openai::ResponseForm* const response = prepared->request.response.get();
  if (response == nullptr) return encoder.encode(request);
  const openai::PromptStart none;
  QUIRE_ASSIGN(prepared->kept,
               openai::encode_conversation(
                   encoder, request, response->previous ? response->previous->start : none));
  return prepared->kept.ids;
}

// The prompt's text for an echo.
std::optional<ApiError> keep_text(const nlohmann::json& body,
                                  const GenerateRequest& request,
                                  Prepared* prepared) {
  const Tokenizer* const tokenizer = prepared->model->facts().encoder.tokenizer();
  if (const auto* text = std::get_if<std::string>(&request.prompt)) {
    prepared->prompt_texts.push_back(*text);
    return std::nullopt;
  }
  if (tokenizer == nullptr) {
    return ApiError{.message = "echo needs a tokenizer, and this package has none",
                    .param = "echo"};
  }
  const auto text = tokenizer->decode(prepared->ids.back(), true);
  if (!text) return error_of(text.error(), body);
  prepared->prompt_texts.push_back(*text);
  return std::nullopt;
}

// Ids of every prompt; room for the answer is what the prompt leaves.
std::optional<ApiError> encode(const nlohmann::json& body, Prepared* prepared) {
  const ModelFacts& facts = prepared->model->facts();
  for (GenerateRequest& request : prepared->request.requests) {
    auto ids = ids_of(request, prepared);
    if (!ids) return error_of(ids.error(), body);
    if (auto error = check_length(*ids, facts)) {
      if (!body.contains(error->param)) error->param = body.contains("prompt") ? "prompt" : "input";
      return error;
    }
    const std::int64_t room = facts.cache_tokens - static_cast<std::int64_t>(ids->size()) + 1;
    request.params.max_tokens =
        static_cast<int>(std::clamp<std::int64_t>(room, 1, request.params.max_tokens));
    prepared->ids.push_back(std::move(*ids));
    if (!prepared->request.echo) continue;
    if (auto error = keep_text(body, request, prepared)) return error;
  }
  return std::nullopt;
}

// Compiles what the answers must follow; the prompts of a request share it.
std::optional<ApiError> constrain(const nlohmann::json& body, Prepared* prepared) {
  std::vector<GenerateRequest>& requests = prepared->request.requests;
  auto constraint = prepared->model->facts().encoder.compile(requests.front().params);
  if (!constraint) return error_of(constraint.error(), body);
  for (GenerateRequest& request : requests) request.constraint = *constraint;
  return std::nullopt;
}

// The names of a body's fields, for when it is used up.
nlohmann::json names_of(const nlohmann::json& body) {
  nlohmann::json names = nlohmann::json::object();
  for (const auto& [key, value] : body.items()) names[key] = nullptr;
  return names;
}

std::variant<std::string, ApiError> compute_body(Compute compute,
                                                 const Models& models,
                                                 std::string text) {
  auto body = ApiBody::parse(std::move(text));
  if (!body) return error_of(body.error(), {{"model", nullptr}});
  const std::string name = body->model();
  const EngineWorker* const model = find_model(models, name);
  if (model == nullptr) return unknown_model(models, name);
  const nlohmann::json fields = names_of(body->json());
  auto answer = compute(*std::move(body), model->facts().encoder, model->facts().max_seq_len);
  if (!answer) return error_of(answer.error(), fields);
  return *std::move(answer);
}

// Runs `work` at the edge of a thread: nothing may be thrown over it.
template <typename Answer, typename Work>
std::variant<Answer, ApiError> answer_or_error(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return ApiError{.status = 503, .message = "out of memory", .code = "overloaded"};
  } catch (const std::exception&) {
    return ApiError{.status = 500, .message = "the request could not be read"};
  }
}

std::variant<Prepared, ApiError> prepare_body(const GenerationApi& api,
                                              const Models& models,
                                              const openai::Caller& caller,
                                              std::string text) {
  auto body = ApiBody::parse(std::move(text));
  if (!body) return error_of(body.error(), {{"model", nullptr}});
  const std::string name = body->model();
  EngineWorker* const model = find_model(models, name);
  if (model == nullptr) return unknown_model(models, name);
  const ModelFacts& facts = model->facts();
  const nlohmann::json fields = names_of(body->json());
  auto request = api.read(*std::move(body), defaults_of(api, facts), caller);
  if (!request) return error_of(request.error(), fields);
  for (const GenerateRequest& each : request->requests) {
    if (Status status = validate(each.params, facts.vocab_size); !status.ok()) {
      return error_of(status, fields);
    }
  }
  auto places = model->reserve(request->num_samples());
  if (!places) {
    return ApiError{
        .status = 503, .message = "the queue is full; try again later", .code = "overloaded"};
  }
  Prepared prepared{.model = model,
                    .request = *std::move(request),
                    .ids = {},
                    .prompt_texts = {},
                    .kept = {},
                    .places = *std::move(places)};
  if (auto error = constrain(fields, &prepared)) return *std::move(error);
  if (auto error = encode(fields, &prepared)) return *std::move(error);
  return prepared;
}

}  // namespace

std::variant<Prepared, ApiError> prepare(const GenerationApi& api,
                                         const Models& models,
                                         const openai::Caller& caller,
                                         std::string body) {
  return answer_or_error<Prepared>(
      [&] { return prepare_body(api, models, caller, std::move(body)); });
}

std::variant<std::string, ApiError> compute_answer(Compute compute,
                                                   const Models& models,
                                                   std::string body) {
  return answer_or_error<std::string>(
      [&] { return compute_body(compute, models, std::move(body)); });
}

EngineWorker* find_model(const Models& models, const std::string& name) {
  if (name.empty()) return models.front().get();
  for (const auto& model : models) {
    if (model->name() == name) return model.get();
  }
  return nullptr;
}

ApiError unknown_model(const Models& models, const std::string& name) {
  std::string names;
  for (const auto& model : models) names += (names.empty() ? "" : ", ") + model->name();
  return {.status = 404,
          .message = "there is no model \"" + name.substr(0, 80) + "\"; there is " + names,
          .param = "model",
          .code = "model_not_found"};
}

}  // namespace quire::server
