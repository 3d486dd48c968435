#include "server/service.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "openai/answer.h"
#include "openai/messages_api.h"
#include "openai/nanochat_api.h"
#include "openai/openapi.h"
#include "openai/other_endpoints.h"
#include "openai/responses_api.h"
#include "openai/token_api.h"
#include "server/otlp_spans.h"

namespace quire::server {
namespace {

using nlohmann::ordered_json;
using openai::ApiError;

constexpr int kPoolThreads = 2;
constexpr std::size_t kMaxIdBytes = 128;

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

std::string new_id() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::uint64_t value = random_seed();
  std::string id;
  for (int i = 0; i < 16; ++i, value >>= 4U) id += kDigits[value & 15U];
  return id;
}

// What a client calls a request may go into a header and a log only if it is plain.
bool is_plain(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes && std::ranges::all_of(id, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == ':';
  });
}

// 00-<32 hex>-<16 hex>-<2 hex> of W3C's Trace Context.
bool is_traceparent(std::string_view text) {
  constexpr std::array<std::size_t, 3> kDashes = {2, 35, 52};
  if (text.size() != 55) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = std::ranges::find(kDashes, i) != kDashes.end();
    const bool hex = ('0' <= text[i] && text[i] <= '9') || ('a' <= text[i] && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return true;
}

HttpResponse json_response(const ordered_json& json) {
  return {.body = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
}

Result<openai::ApiRequest> read_chat(openai::ApiBody body,
                                     const SamplingParams& defaults,
                                     const openai::Caller&) {
  return openai::read_api_request(wire::LineForm::kOpenAiChat, std::move(body), defaults);
}
Result<openai::ApiRequest> read_completion(openai::ApiBody body,
                                           const SamplingParams& defaults,
                                           const openai::Caller&) {
  return openai::read_api_request(wire::LineForm::kOpenAiCompletion, std::move(body), defaults);
}

constexpr GenerationApi kChat = {.read = read_chat,
                                 .answer = openai::make_completion_answer,
                                 .tells_thoughts = true,
                                 .to_the_end = true};
constexpr GenerationApi kMessages = {.read = openai::read_messages_request,
                                     .answer = openai::make_messages_answer,
                                     .tells_thoughts = true,
                                     .to_the_end = true};
constexpr GenerationApi kResponses = {.read = openai::read_responses_request,
                                      .answer = openai::make_responses_answer,
                                      .tells_thoughts = true,
                                      .to_the_end = true};
constexpr GenerationApi kNanochat = {.read = openai::read_nanochat_request,
                                     .answer = openai::make_nanochat_answer,
                                     .tells_thoughts = false,
                                     .to_the_end = true};
constexpr GenerationApi kCompletion = {.read = read_completion,
                                       .answer = openai::make_completion_answer,
                                       .tells_thoughts = false,
                                       .to_the_end = false};

// How the answer to a request is to be read.
openai::AnswerReading reading_of(const Prepared& prepared) {
  const ModelFacts& facts = prepared.model->facts();
  openai::AnswerReading reading{.reasoning = facts.reasoning};
  reading.in_reasoning =
      reading.reasoning &&
      ends_in_reasoning(*reading.reasoning, *facts.encoder.tokenizer(), prepared.ids.front());
  const GenerateRequest& request = prepared.request.requests.front();
  auto functions = tool_calls::FunctionList::parse(request.tools_json);
  if (request.tools_json.empty() || !functions) return reading;
  reading.tools = {
      .format = facts.tool_format,
      .functions = std::make_shared<const tool_calls::FunctionList>(*std::move(functions)),
      .start = facts.encoder.answer_start(request),
      .parallel = request.tool_choice.parallel,
      .short_ids = tool_calls::is_mistral(facts.tool_format)};
  return reading;
}

// Whether a path is what a pattern says, {} standing for one segment; that segment.
bool matches(std::string_view pattern, std::string_view path, std::string* segment) {
  const std::size_t mark = pattern.find("{}");
  if (mark == std::string_view::npos) return pattern == path;
  const std::string_view behind = pattern.substr(mark + 2);
  if (path.size() <= mark + behind.size() || !path.starts_with(pattern.substr(0, mark)) ||
      !path.ends_with(behind)) {
    return false;
  }
  const std::string_view name = path.substr(mark, path.size() - mark - behind.size());
  if (name.find('/') != std::string_view::npos) return false;
  *segment = name;
  return true;
}

}  // namespace

struct Service::Route {
  std::string_view method;
  std::string_view path;
  void (Service::*handler)(const HttpRequest&, const LoggedPtr&) = nullptr;
  const GenerationApi* api = nullptr;  // of an endpoint that generates, in place of a handler
  Compute compute = nullptr;           // of one that computes its answer, likewise
  bool open = false;                   // to those without a key
  std::string (*error_body)(const ApiError& error) = openai::error_body;
};

const std::vector<Service::Route>& Service::routes() {
  static const std::vector<Route> kRoutes = {
      {.method = "GET", .path = "/", .handler = &Service::page, .open = true},
      {.method = "GET", .path = "/engine", .handler = &Service::page, .open = true},
      {.method = "GET", .path = "/debug/engine", .handler = &Service::debug_engine},
      {.method = "GET", .path = "/health", .handler = &Service::health, .open = true},
      {.method = "GET", .path = "/health/ready", .handler = &Service::ready, .open = true},
      {.method = "GET", .path = "/version", .handler = &Service::version},
      {.method = "GET", .path = "/metrics", .handler = &Service::metrics},
      {.method = "GET", .path = "/openapi.json", .handler = &Service::openapi},
      {.method = "GET", .path = "/v1/models", .handler = &Service::models},
      {.method = "GET", .path = "/v1/models/{}", .handler = &Service::model},
      {.method = "POST", .path = "/v1/chat/completions", .api = &kChat},
      {.method = "POST", .path = "/v1/completions", .api = &kCompletion},
      {.method = "POST", .path = "/v1/responses", .api = &kResponses},
      {.method = "GET", .path = "/v1/responses/{}", .handler = &Service::stored_response},
      {.method = "DELETE", .path = "/v1/responses/{}", .handler = &Service::delete_response},
      {.method = "GET", .path = "/v1/responses/{}/input_items", .handler = &Service::input_items},
      {.method = "POST",
       .path = "/v1/messages",
       .api = &kMessages,
       .error_body = openai::messages_error_body},
      {.method = "POST",
       .path = "/v1/messages/count_tokens",
       .compute = openai::count_message_tokens,
       .error_body = openai::messages_error_body},
      {.method = "POST", .path = "/chat/completions", .api = &kNanochat},
      {.method = "POST", .path = "/tokenize", .compute = openai::tokenize},
      {.method = "POST", .path = "/detokenize", .compute = openai::detokenize},
      {.method = "POST", .path = "/apply-template", .compute = openai::apply_template},
  };
  return kRoutes;
}

std::vector<std::pair<std::string, std::string>> Service::route_list() {
  std::vector<std::pair<std::string, std::string>> list;
  for (const Route& route : routes()) list.emplace_back(route.method, route.path);
  return list;
}

Service::Service(ServiceOptions options, const Models* models, Post post, LoggedExchange::Done log)
    : options_(std::move(options)),
      models_(models),
      post_(std::move(post)),
      log_(std::move(log)),
      started_(now_seconds()),
      responses_(options_.stored_responses, options_.stored_bytes),
      pool_(kPoolThreads, options_.max_queue) {}

Service::LoggedPtr Service::logged(const HttpRequest& request, std::shared_ptr<Exchange> exchange) {
  AccessRecord record{.method = request.method, .path = request.path};
  const std::string_view given_id = request.header("x-request-id");
  record.request_id = is_plain(given_id) ? std::string(given_id) : "req-" + new_id();
  HttpHeaders headers = cors_headers(request);
  headers.emplace_back("X-Request-Id", record.request_id);
  if (is_traceparent(request.header("traceparent"))) {
    record.traceparent = request.header("traceparent");
    headers.emplace_back("Traceparent", record.traceparent);
  }
  return std::make_shared<LoggedExchange>(
      std::move(exchange), std::move(record), std::move(headers), [this](const AccessRecord& done) {
        ++metrics_.responses[done.status];
        if (log_) log_(done);
        if (tracer_ != nullptr) tracer_->add(spans_of(done, now_ns()));
      });
}

HttpHeaders Service::cors_headers(const HttpRequest& request) const {
  const std::string origin(request.header("origin"));
  if (origin.empty() || options_.cors_origins.empty()) return {};
  for (const std::string& allowed : options_.cors_origins) {
    if (allowed != "*" && allowed != origin) continue;
    return {{"Access-Control-Allow-Origin", allowed}, {"Vary", "Origin"}};
  }
  return {};
}

void Service::refuse(const ApiError& error, const Route* route, const LoggedPtr& exchange) {
  exchange->respond(
      error_response(error, route == nullptr ? openai::error_body : route->error_body));
}

void Service::handle(HttpRequest request, std::shared_ptr<Exchange> exchange) {
  const LoggedPtr outer = logged(request, exchange);
  try {
    dispatch(std::move(request), outer);
  } catch (const std::bad_alloc&) {
    refuse({.status = 503, .message = "out of memory", .code = "overloaded"}, nullptr, outer);
  } catch (const std::exception&) {
    refuse({.status = 500, .message = "the request failed inside the server"}, nullptr, outer);
  }
}

bool Service::is_served(const Route& route) const {
  if (route.handler == &Service::page) return options_.web;
  return options_.debug_engine || route.handler != &Service::debug_engine;
}

void Service::dispatch(HttpRequest request, const LoggedPtr& exchange) {
  if (request.method == "OPTIONS" && !cors_headers(request).empty()) {
    exchange->respond({.status = 204,
                       .headers = {{"Access-Control-Allow-Methods", "GET, POST, DELETE"},
                                   {"Access-Control-Allow-Headers",
                                    "authorization, content-type, x-api-key, x-request-id, "
                                    "anthropic-version, traceparent"},
                                   {"Access-Control-Max-Age", "600"}}});
    return;
  }
  const Route* found = nullptr;
  std::string methods;
  const bool head = request.method == "HEAD";
  for (const Route& route : routes()) {
    if (!is_served(route) || !matches(route.path, request.path, &request.segment)) continue;
    methods += (methods.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == request.method || (head && route.method == "GET")) found = &route;
  }
  // Whoever has no key does not learn what is here, either.
  if ((found == nullptr || !found->open) && !keys_.allow(request)) {
    ++metrics_.rejections["api_key"];
    refuse({.status = 401,
            .message = "the API key is missing or wrong; send it as Authorization: Bearer KEY",
            .code = "invalid_api_key"},
           found,
           exchange);
    return;
  }
  if (methods.empty()) {
    const std::string instead = openai::about_other_endpoint(request.path);
    refuse(
        {.status = 404,
         .message = "there is no " + request.path.substr(0, 100) +
                    (instead.empty() ? "; GET /openapi.json says what there is" : ": " + instead),
         .code = instead.empty() ? "" : "not_supported"},
        found,
        exchange);
  } else if (found == nullptr) {
    HttpResponse response = error_response(
        {.status = 405, .message = request.path + " is for " + methods}, openai::error_body);
    response.headers.emplace_back("Allow", methods);
    exchange->respond(std::move(response));
  } else if (found->handler != nullptr) {
    (this->*found->handler)(request, exchange);
  } else if (!is_ready(*found, exchange)) {
    return;
  } else if (found->api != nullptr) {
    generate(*found, std::move(request), exchange);
  } else {
    compute(*found, std::move(request), exchange);
  }
}

void Service::health(const HttpRequest&, const LoggedPtr& exchange) {
  exchange->respond(json_response({{"status", "ok"}}));
}

void Service::ready(const HttpRequest&, const LoggedPtr& exchange) {
  if (state_ == State::kReady) {
    exchange->respond(json_response({{"status", "ready"}}));
    return;
  }
  const bool loading = state_ == State::kLoading;
  refuse({.status = 503, .message = loading ? "the models are loading" : "the server is stopping"},
         nullptr,
         exchange);
}

void Service::version(const HttpRequest&, const LoggedPtr& exchange) {
  exchange->respond(json_response({{"version", QUIRE_VERSION}}));
}

void Service::openapi(const HttpRequest&, const LoggedPtr& exchange) {
  exchange->respond({.body = std::string(openai::openapi_json())});
}

void Service::metrics(const HttpRequest&, const LoggedPtr& exchange) {
  std::map<std::string, EngineView> engines;
  if (state_ != State::kLoading) {
    for (const auto& model : *models_) {
      engines[model->name()] = {.block_size = model->facts().block_size, .stats = model->stats()};
    }
  }
  if (tracer_ != nullptr) {
    metrics_.trace_spans_exported = tracer_->num_exported();
    metrics_.trace_spans_dropped = tracer_->num_dropped();
  }
  exchange->respond({.body = metrics_page(metrics_, engines),
                     .content_type = "text/plain; version=0.0.4; charset=utf-8"});
}

ordered_json Service::model_card(const EngineWorker& model) const {
  ordered_json json = {
      {"id", model.name()}, {"object", "model"}, {"created", started_}, {"owned_by", "quire"}};
  if (state_ != State::kLoading) json["max_model_len"] = model.facts().max_seq_len;
  return json;
}

void Service::models(const HttpRequest&, const LoggedPtr& exchange) {
  ordered_json list = ordered_json::array();
  for (const auto& model : *models_) list.push_back(model_card(*model));
  exchange->respond(json_response({{"object", "list"}, {"data", std::move(list)}}));
}

void Service::model(const HttpRequest& request, const LoggedPtr& exchange) {
  if (const EngineWorker* model = find_model(*models_, request.segment)) {
    exchange->respond(json_response(model_card(*model)));
  } else {
    refuse(unknown_model(*models_, request.segment), nullptr, exchange);
  }
}

void Service::no_response(const std::string& id, const LoggedPtr& exchange) {
  refuse(
      {.status = 404,
       .message = "there is no response \"" + id.substr(0, 80) +
                  "\" (any more); those of store: false are not kept, and the oldest are forgotten",
       .param = "response_id"},
      nullptr,
      exchange);
}

void Service::stored_response(const HttpRequest& request, const LoggedPtr& exchange) {
  if (!request.query.empty()) {
    const std::string name = request.query.substr(0, request.query.find_first_of("=&"));
    refuse({.message = "the field \"" + name.substr(0, 60) +
                       "\" is not in this version; leave it out: a response is answered whole",
            .param = name.substr(0, 60)},
           nullptr,
           exchange);
    return;
  }
  const auto stored = responses_.find(request.segment, keys_.owner(request));
  if (stored == nullptr) return no_response(request.segment, exchange);
  exchange->respond({.body = stored->json});
}

void Service::delete_response(const HttpRequest& request, const LoggedPtr& exchange) {
  if (!responses_.erase(request.segment, keys_.owner(request))) {
    return no_response(request.segment, exchange);
  }
  exchange->respond({.body = openai::deleted_body(request.segment)});
}

void Service::input_items(const HttpRequest& request, const LoggedPtr& exchange) {
  const auto stored = responses_.find(request.segment, keys_.owner(request));
  if (stored == nullptr) return no_response(request.segment, exchange);
  const auto page = openai::list_input_items(*stored, request.query);
  if (page) {
    exchange->respond({.body = *page});
  } else {
    refuse(openai::api_error(page.error()), nullptr, exchange);
  }
}

// Refuses what cannot be served now.
bool Service::is_ready(const Route& route, const LoggedPtr& exchange) {
  if (state_ == State::kReady) return true;
  const bool loading = state_ == State::kLoading;
  ++metrics_.rejections[loading ? "loading" : "draining"];
  refuse({.status = 503,
          .message = loading ? "the models are loading" : "the server is stopping",
          .code = "overloaded"},
         &route,
         exchange);
  return false;
}

void Service::run_in_pool(const Route& route,
                          const LoggedPtr& exchange,
                          std::function<void()> task) {
  if (pool_.try_run(std::move(task))) return;
  ++metrics_.rejections["queue_full"];
  refuse({.status = 503, .message = "the queue is full; try again later", .code = "overloaded"},
         &route,
         exchange);
}

void Service::generate(const Route& route, HttpRequest request, const LoggedPtr& exchange) {
  // Shared: a std::function must be copyable.
  auto body = std::make_shared<std::string>(std::move(request.body));
  openai::Caller caller{.responses = &responses_, .owner = keys_.owner(request)};
  run_in_pool(route, exchange, [this, &route, body, caller, exchange] {
    auto prepared = std::make_shared<std::variant<Prepared, ApiError>>(
        prepare(*route.api, *models_, caller, std::move(*body)));
    post_([this, &route, prepared, exchange] { submit(route, std::move(*prepared), exchange); });
  });
}

void Service::submit(const Route& route,
                     std::variant<Prepared, ApiError> prepared,
                     const LoggedPtr& exchange) {
  if (const auto* error = std::get_if<ApiError>(&prepared)) {
    ++metrics_.rejections[error->status == 503 ? "queue_full" : "invalid"];
    exchange->respond(error_response(*error, route.error_body));
    return;
  }
  auto& good = std::get<Prepared>(prepared);
  exchange->record().model = good.model->name();
  openai::AnswerContext context{.id = new_id(),
                                .model = good.model->name(),
                                .created = now_seconds(),
                                .tokenizer = good.model->facts().encoder.tokenizer(),
                                .prompt = std::move(good.kept)};
  for (const std::vector<TokenId>& ids : good.ids) {
    context.num_prompt_tokens += static_cast<std::int64_t>(ids.size());
    context.first_ids.push_back(ids.empty() ? 0 : ids.front());
  }
  if (route.api->tells_thoughts) {
    context.reading = reading_of(good);
    context.reading.id = context.id;
  }
  auto answer = route.api->answer(good.request, good.prompt_texts, std::move(context));
  std::make_shared<GenerationJob>(
      std::move(good), std::move(answer), route.error_body, exchange, &metrics_)
      ->start(options_.request_timeout);
}

void Service::compute(const Route& route, HttpRequest request, const LoggedPtr& exchange) {
  auto body = std::make_shared<std::string>(std::move(request.body));
  run_in_pool(route, exchange, [this, &route, body, exchange] {
    auto response = std::make_shared<HttpResponse>();
    const auto done = compute_answer(route.compute, *models_, std::move(*body));
    if (const auto* error = std::get_if<ApiError>(&done)) {
      *response = error_response(*error, route.error_body);
    } else {
      response->body = std::get<std::string>(done);
    }
    post_([response, exchange] { exchange->respond(std::move(*response)); });
  });
}

}  // namespace quire::server
