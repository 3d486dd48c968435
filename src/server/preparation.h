#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "openai/answer.h"
#include "openai/api_error.h"
#include "openai/api_request.h"
#include "openai/prompt_start.h"
#include "openai/response_store.h"
#include "server/engine_worker.h"

namespace quire::server {

// The models that are served, the first one for requests that name none.
using Models = std::vector<std::unique_ptr<EngineWorker>>;

// What tells one endpoint that generates from another.
struct GenerationApi {
  Result<openai::ApiRequest> (*read)(openai::ApiBody body,
                                     const SamplingParams& defaults,
                                     const openai::Caller& caller);
  std::unique_ptr<openai::Answer> (*answer)(const openai::ApiRequest& request,
                                            std::vector<std::string> prompt_texts,
                                            openai::AnswerContext context);
  bool tells_thoughts;  // from the answer, where a model has markers for them
  bool to_the_end;      // without a limit of the client's, on to the end of the context
};

// A request that its engine can take at once.
struct Prepared {
  EngineWorker* model;
  openai::ApiRequest request;
  std::vector<std::vector<TokenId>> ids;  // of each prompt
  std::vector<std::string> prompt_texts;  // likewise, for an echo
  openai::EncodedConversation kept;       // of a response, for the next to go on from
  Reservation places;
};

// Reads a body and makes ids of its prompts, once there are places for them in the queue. For a
// thread that may take its time; never throws.
std::variant<Prepared, openai::ApiError> prepare(const GenerationApi& api,
                                                 const Models& models,
                                                 const openai::Caller& caller,
                                                 std::string body);

// What answers a body at once, with a body.
using Compute = Result<std::string> (*)(openai::ApiBody body,
                                        const PromptEncoder& encoder,
                                        int max_model_len);
// Likewise for an endpoint that needs no engine.
std::variant<std::string, openai::ApiError> compute_answer(Compute compute,
                                                           const Models& models,
                                                           std::string body);

// The model of this name, the first for an empty one; null where there is none.
EngineWorker* find_model(const Models& models, const std::string& name);
// The 404 for a model that is not there.
openai::ApiError unknown_model(const Models& models, const std::string& name);

}  // namespace quire::server
