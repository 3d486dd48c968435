#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "server/api_keys.h"
#include "server/engine_worker.h"
#include "server/generation_job.h"
#include "server/http_limits.h"
#include "server/http_message.h"
#include "server/logged_exchange.h"
#include "server/metrics.h"
#include "server/otlp_exporter.h"
#include "server/preparation.h"
#include "server/task_pool.h"

namespace quire::server {

struct ServiceOptions {
  std::vector<std::string> cors_origins;        // "*": every one; empty: none
  std::chrono::milliseconds request_timeout{};  // 0: none
  std::size_t max_queue = 256;                  // of requests to read, and of sequences to run
  std::size_t stored_responses = HttpLimits().stored_responses;
  std::size_t stored_bytes = HttpLimits().stored_bytes;
  bool web = true;            // the page at / and /engine
  bool debug_engine = false;  // what the engine is doing, at /debug/engine
};

// The endpoints: who may do what, and what comes of it. On the I/O thread.
class Service {
 public:
  using Post = EngineWorker::Post;
  Service(ServiceOptions options, const Models* models, Post post, LoggedExchange::Done log);

  // Method and path of everything that is here; {} in a path stands for one segment of any name.
  static std::vector<std::pair<std::string, std::string>> route_list();

  void handle(HttpRequest request, std::shared_ptr<Exchange> exchange);

  // Hears of every request that is over. Outlives this.
  void set_tracer(OtlpExporter* tracer) { tracer_ = tracer; }
  void set_keys(ApiKeys keys) { keys_ = std::move(keys); }
  void set_ready() { state_ = State::kReady; }
  void set_draining() { state_ = State::kDraining; }

 private:
  struct Route;
  enum class State { kLoading, kReady, kDraining };
  using LoggedPtr = std::shared_ptr<LoggedExchange>;

  static const std::vector<Route>& routes();
  bool is_served(const Route& route) const;
  void dispatch(HttpRequest request, const LoggedPtr& exchange);
  LoggedPtr logged(const HttpRequest& request, std::shared_ptr<Exchange> exchange);
  HttpHeaders cors_headers(const HttpRequest& request) const;
  void refuse(const openai::ApiError& error, const Route* route, const LoggedPtr& exchange);

  void health(const HttpRequest& request, const LoggedPtr& exchange);
  void ready(const HttpRequest& request, const LoggedPtr& exchange);
  void version(const HttpRequest& request, const LoggedPtr& exchange);
  void openapi(const HttpRequest& request, const LoggedPtr& exchange);
  void metrics(const HttpRequest& request, const LoggedPtr& exchange);
  void page(const HttpRequest& request, const LoggedPtr& exchange);
  void debug_engine(const HttpRequest& request, const LoggedPtr& exchange);
  void models(const HttpRequest& request, const LoggedPtr& exchange);
  void model(const HttpRequest& request, const LoggedPtr& exchange);
  nlohmann::ordered_json model_card(const EngineWorker& model) const;
  bool is_ready(const Route& route, const LoggedPtr& exchange);
  void run_in_pool(const Route& route, const LoggedPtr& exchange, std::function<void()> task);
  void stored_response(const HttpRequest& request, const LoggedPtr& exchange);
  void delete_response(const HttpRequest& request, const LoggedPtr& exchange);
  void input_items(const HttpRequest& request, const LoggedPtr& exchange);
  void no_response(const std::string& id, const LoggedPtr& exchange);
  void generate(const Route& route, HttpRequest request, const LoggedPtr& exchange);
  void submit(const Route& route,
              std::variant<Prepared, openai::ApiError> prepared,
              const LoggedPtr& exchange);
  void compute(const Route& route, HttpRequest request, const LoggedPtr& exchange);

  ServiceOptions options_;
  const Models* models_;
  Post post_;
  LoggedExchange::Done log_;
  ApiKeys keys_;
  State state_ = State::kLoading;
  std::int64_t started_;  // seconds since 1970
  OtlpExporter* tracer_ = nullptr;
  Metrics metrics_;
  openai::ResponseStore responses_;
  TaskPool pool_;  // last: its tasks use the rest
};

}  // namespace quire::server
