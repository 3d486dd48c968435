#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "fuzz/fuzz_bodies.h"
#include "openai/answer.h"
#include "openai/messages_api.h"
#include "openai/responses_api.h"

namespace quire::fuzz {
namespace {

using openai::ApiBody;
using openai::ApiRequest;
using openai::Caller;

Result<ApiRequest> read_chat(ApiBody body, const SamplingParams& defaults, const Caller&) {
  return openai::read_api_request(wire::LineForm::kOpenAiChat, std::move(body), defaults);
}
Result<ApiRequest> read_completion(ApiBody body, const SamplingParams& defaults, const Caller&) {
  return openai::read_api_request(wire::LineForm::kOpenAiCompletion, std::move(body), defaults);
}

struct Api {
  decltype(&read_chat) read;
  decltype(&openai::make_completion_answer) answer;
};

void answer_it(const Api& api, ApiRequest request) {
  for (const GenerateRequest& each : request.requests) {
    if (!validate(each.params, std::numeric_limits<int>::max()).ok()) return;
  }
  std::vector<RequestOutput> outputs(request.requests.size());
  for (RequestOutput& output : outputs) output.outputs.emplace_back();
  request.echo = false;  // which needs the texts of prompts
  const auto answer = api.answer(request, {}, {});
  QUIRE_CHECK(parse_json(answer->whole(outputs), "an answer", 80).has_value(), "an answer is JSON");
}

}  // namespace

// A body as each endpoint that generates reads it; a first byte chooses the endpoint.
void api_request(std::string_view input) {
  constexpr std::array kApis = {Api{read_chat, openai::make_completion_answer},
                                Api{read_completion, openai::make_completion_answer},
                                Api{openai::read_responses_request, openai::make_responses_answer},
                                Api{openai::read_messages_request, openai::make_messages_answer}};
  if (input.empty()) return;
  const Api& api = kApis[static_cast<unsigned char>(input.front()) % kApis.size()];
  auto body = ApiBody::parse(std::string(input.substr(1)));
  if (!body) return;
  openai::ResponseStore store(2, 100'000);
  auto request = api.read(*std::move(body), {}, {.responses = &store});
  if (request) {
    answer_it(api, *std::move(request));
    return;
  }
  QUIRE_CHECK(!request.error().message().empty(), "a refusal says why");
}

}  // namespace quire::fuzz
