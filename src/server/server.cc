#include "server/server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/http_server.h"

namespace quire::server {
namespace {

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<ApiKeys> read_keys(const ServerOptions& options) {
  if (!options.api_key_file.empty()) return ApiKeys::read(options.api_key_file);
  if (options.unix_socket.empty() && !is_loopback(options.host) && !options.no_auth) {
    return invalid_argument(
        "option host " + options.host.substr(0, 80) +
        " lets others connect: give option api_key_file=FILE, or option no_auth");
  }
  return ApiKeys();
}

// What the models' engines have done, added up.
struct Totals {
  int running = 0;
  int waiting = 0;
  std::int64_t blocks = 0;
  std::int64_t used_blocks = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t answer_tokens = 0;
};

Totals add_up(const Models& models) {
  Totals totals;
  for (const auto& model : models) {
    const EngineStats stats = model->stats();
    totals.running += stats.num_running;
    totals.waiting += stats.num_waiting;
    totals.blocks += stats.num_blocks;
    totals.used_blocks += stats.num_used_blocks;
    totals.prompt_tokens += stats.num_prompt_tokens;
    totals.answer_tokens += stats.num_generated_tokens;
  }
  return totals;
}

// What happened between two moments.
ServerStatus status_between(const Totals& before, const Totals& now, double seconds) {
  const auto share = static_cast<double>(now.used_blocks);
  return {
      .running = now.running,
      .waiting = now.waiting,
      .cache_share = now.blocks > 0 ? share / static_cast<double>(now.blocks) : 0,
      .prompt_tokens_s = static_cast<double>(now.prompt_tokens - before.prompt_tokens) / seconds,
      .answer_tokens_s = static_cast<double>(now.answer_tokens - before.answer_tokens) / seconds};
}

// The parts of a running server and their order: whatever a thread uses outlives it.
class RunningServer {
 public:
  explicit RunningServer(ServerOptions options)
      : options_(std::move(options)),
        http_(options_.limits,
              [this](HttpRequest request, std::shared_ptr<Exchange> exchange) {
                service_->handle(std::move(request), std::move(exchange));
              }),
        post_([this](std::function<void()> task) { http_.post(std::move(task)); }) {
    const EngineWorker::Limits limits{
        .max_sequences = options_.max_num_seqs + static_cast<int>(options_.service.max_queue),
        .idle_timeout = options_.idle_timeout};
    for (const ServerOptions::Model& model : options_.models) {
      models_.push_back(std::make_unique<EngineWorker>(model.name, post_, limits));
    }
    options_.service.debug_engine =
        options_.debug_engine || !options_.unix_socket.empty() || is_loopback(options_.host);
    service_ = std::make_unique<Service>(options_.service, &models_, post_, options_.on_access);
  }

  Status run() {
    QUIRE_ASSIGN(ApiKeys keys, read_keys(options_));
    service_->set_keys(std::move(keys));
    QUIRE_TRY(load_tls());
    if (!options_.otlp_endpoint.empty()) {
      QUIRE_ASSIGN(OtlpEndpoint endpoint, parse_otlp_endpoint(options_.otlp_endpoint));
      tracer_ = std::make_unique<OtlpExporter>(std::move(endpoint));
      service_->set_tracer(tracer_.get());
    }
    QUIRE_TRY(listen());
    http_.on_signals({SIGTERM, SIGINT, SIGHUP}, [this](int number) { on_signal(number); });
    num_loading_ = models_.size();
    for (std::size_t i = 0; i < models_.size(); ++i) {
      models_[i]->start(options_.models[i].open,
                        [this](const Status& status) { on_loaded(status); });
    }
    http_.run();
    return failure_;
  }

 private:
  Status load_tls() {
    if (options_.tls_cert.empty() && options_.tls_key.empty()) return ok_status();
    if (options_.tls_cert.empty() || options_.tls_key.empty()) {
      return invalid_argument("option tls_cert and option tls_key belong together; give both");
    }
    QUIRE_ASSIGN(auto tls, load_tls_context(options_.tls_cert, options_.tls_key));
    http_.set_tls(std::move(tls));
    return ok_status();
  }

  Status listen() {
    if (!options_.unix_socket.empty()) {
      url_ = "unix:" + options_.unix_socket.string();
      return http_.listen_unix(options_.unix_socket.string());
    }
    QUIRE_ASSIGN(const int port, http_.listen(options_.host, options_.port));
    const bool v6 = options_.host.find(':') != std::string::npos;
    url_ = (options_.tls_cert.empty() ? "http://" : "https://") +
           (v6 ? "[" + options_.host + "]" : options_.host) + ":" + std::to_string(port);
    return ok_status();
  }

  void on_loaded(const Status& status) {
    if (!status.ok() && num_loading_ == 0) {  // it was unloaded in the meantime
      if (options_.on_warning) options_.on_warning(status.message());
      return;
    }
    if (!status.ok()) {
      failure_ = status;
      http_.stop();
      return;
    }
    if (--num_loading_ > 0 || stopping_) return;
    service_->set_ready();
    if (options_.on_ready) options_.on_ready(url_);
    for (const auto& model : models_) {
      if (options_.on_model)
        options_.on_model(model->name(), model->facts().encoder.tool_support());
    }
    if (options_.on_status) watch(add_up(models_));
  }

  void watch(const Totals& before) {
    http_.after(options_.status_interval, [this, before] {
      const Totals now = add_up(models_);
      const std::chrono::duration<double> seconds = options_.status_interval;
      const ServerStatus status = status_between(before, now, seconds.count());
      const bool idle = status.running + status.waiting == 0 && status.answer_tokens_s <= 0;
      if (!idle) options_.on_status(status);
      watch(now);
    });
  }

  // What cannot be read stays as it was, and somebody should hear of it.
  void reload() {
    if (!options_.api_key_file.empty()) {
      auto keys = ApiKeys::read(options_.api_key_file);
      if (keys) {
        service_->set_keys(*std::move(keys));
      } else if (options_.on_warning) {
        options_.on_warning("the keys stay as they were: " + keys.error().message());
      }
    }
    const Status tls = load_tls();
    if (!tls.ok() && options_.on_warning) {
      options_.on_warning("the certificate stays as it was: " + tls.message());
    }
  }

  void on_signal(int number) {
    if (number == SIGHUP) {
      reload();
      return;
    }
    if (stopping_) {
      http_.stop();
      return;
    }
    stopping_ = true;
    service_->set_draining();
    http_.after(options_.shutdown_timeout, [this] { http_.stop(); });
    http_.drain([this] { http_.stop(); });
  }

  ServerOptions options_;
  HttpServer http_;
  EngineWorker::Post post_;
  Models models_;
  std::unique_ptr<OtlpExporter> tracer_;
  std::unique_ptr<Service> service_;
  Status failure_;
  std::string url_;
  std::size_t num_loading_ = 0;
  bool stopping_ = false;
};

}  // namespace

Status serve(ServerOptions options) {
  RunningServer server(std::move(options));
  return server.run();
}

}  // namespace quire::server
