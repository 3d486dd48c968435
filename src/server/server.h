#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "quire/options.h"
#include "quire/status.h"
#include "server/http_limits.h"
#include "server/logged_exchange.h"
#include "server/service.h"

namespace quire::server {

// What all models of a server together do, for a person who watches.
struct ServerStatus {
  int running = 0;
  int waiting = 0;
  double cache_share = 0;      // of the blocks, in use
  double prompt_tokens_s = 0;  // computed since the last status
  double answer_tokens_s = 0;  // likewise
};

struct ServerOptions {
  struct Model {
    std::string name;
    EngineWorker::Open open;
  };
  std::vector<Model> models;
  int max_num_seqs = 64;  // that an engine runs at once; max_queue of the service wait on top

  // A model without a request for so long is unloaded until the next; 0: never.
  std::chrono::milliseconds idle_timeout{0};

  std::string host = "127.0.0.1";
  int port = 8080;                    // 0: any that is free
  std::filesystem::path unix_socket;  // in place of host and port
  std::filesystem::path api_key_file;
  std::filesystem::path tls_cert;  // PEM, with the chain; together with the key or not at all
  std::filesystem::path tls_key;
  std::string otlp_endpoint;  // of a collector of traces; empty for none
  bool debug_engine = false;  // /debug/engine where others than this machine can connect, too
  bool no_auth = false;       // even where others than this machine can connect
  std::chrono::milliseconds shutdown_timeout{30'000};
  HttpLimits limits;
  ServiceOptions service;

  // Called on the I/O thread: once with the address when all is ready, and after each request.
  std::function<void(const std::string& url)> on_ready;
  // For each model, behind on_ready.
  std::function<void(const std::string& model, const ToolSupport& tools)> on_model;
  LoggedExchange::Done on_access;
  // Every few seconds, while anything is or was being done.
  std::function<void(const ServerStatus& status)> on_status;
  std::chrono::milliseconds status_interval{3'000};
  std::function<void(const std::string& text)> on_warning;  // likewise on the I/O thread
};

// Serves until SIGTERM or SIGINT: then finishes what has begun, for as long as the options say, and
// returns ok; a second signal ends it at once. SIGHUP reads the keys and the certificate again.
// Fails when it cannot listen or a model cannot be opened.
Status serve(ServerOptions options);

}  // namespace quire::server
