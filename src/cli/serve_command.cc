#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "package/model_package.h"
#include "quire/llm.h"
#include "quire/printable.h"
#include "server/server.h"

namespace quire::cli {
namespace {

struct ServeFlags {
  ModelFlags model;
  std::vector<std::filesystem::path> packages;
  server::ServerOptions server;
  double shutdown_timeout_s = 30;
  double request_timeout_s = 600;
  double idle_timeout_s = 0;
  bool no_web = false;
  std::string log_format = "text";
};

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
  return text;
}

void log_text(const server::AccessRecord& record) {
  std::string line = timestamp() + " " + printable(record.method) + " " + printable(record.path) +
                     " " + std::to_string(record.status) + " " +
                     std::to_string(static_cast<long long>(record.milliseconds)) + " ms " +
                     record.request_id;
  if (!record.model.empty()) {
    line += " " + printable(record.model) + " " + std::to_string(record.prompt_tokens) + "+" +
            std::to_string(record.generated_tokens) + " tokens";
  }
  std::fprintf(stderr, "%s\n", line.c_str());
}

void log_json(const server::AccessRecord& record) {
  nlohmann::ordered_json json = {{"time", timestamp()},
                                 {"method", record.method},
                                 {"path", record.path},
                                 {"status", record.status},
                                 {"ms", record.milliseconds},
                                 {"request_id", record.request_id}};
  if (!record.traceparent.empty()) json["traceparent"] = record.traceparent;
  if (!record.model.empty()) {
    json["model"] = record.model;
    json["prompt_tokens"] = record.prompt_tokens;
    json["generated_tokens"] = record.generated_tokens;
  }
  const std::string line =
      json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
  std::fprintf(stderr, "%s\n", line.c_str());
}

// Says where it listens, and shows a request that works as it stands.
void print_banner(const std::string& url, const std::string& model, bool web) {
  const bool socket = url.starts_with("unix:");
  const std::string target = socket ? "--unix-socket " + url.substr(5) + " http://localhost" : url;
  std::fprintf(stderr,
               "listening on %s\n%stry: curl %s/v1/chat/completions -H 'Content-Type: "
               "application/json' -d '{\"model\": \"%s\", \"messages\": [{\"role\": \"user\", "
               "\"content\": \"What is the capital of France?\"}]}'\n",
               printable(url).c_str(),
               web && !socket ? "chat there in a browser, or " : "",
               printable(target).c_str(),
               printable(model).c_str());
}

void print_status(const server::ServerStatus& status) {
  std::fprintf(stderr,
               "%s %d running, %d waiting, cache %.0f %% used, prompts %.0f tokens/s, answers %.0f "
               "tokens/s\n",
               timestamp().c_str(),
               status.running,
               status.waiting,
               status.cache_share * 100,
               status.prompt_tokens_s,
               status.answer_tokens_s);
}

Status add_models(const ServeFlags& flags, server::ServerOptions* options) {
  std::set<std::string> names;
  const EngineOptions engine = engine_options(flags.model);
  for (const std::filesystem::path& package : flags.packages) {
    const std::string name = package_name(package_folder(package));
    if (!names.insert(name).second) {
      return invalid_argument("two of the models are called " + name +
                              ", and a request could not say which it means; rename a folder");
    }
    options->models.push_back(
        {.name = name, .open = [package, engine] { return Llm::open(package, engine); }});
  }
  return ok_status();
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
}

int run_serve(const ServeFlags& flags) {
  if (flags.model.show_config) return show_config(flags.model);
  server::ServerOptions options = flags.server;
  if (Status status = validate(engine_options(flags.model)); !status.ok()) return report(status);
  if (Status status = add_models(flags, &options); !status.ok()) return report(status);
  options.max_num_seqs = flags.model.engine.max_num_seqs;
  options.shutdown_timeout = milliseconds(flags.shutdown_timeout_s);
  options.service.request_timeout = milliseconds(flags.request_timeout_s);
  options.idle_timeout = milliseconds(flags.idle_timeout_s);
  options.service.web = !flags.no_web;
  const auto print_tools = [](const std::string& model, const ToolSupport& tools) {
    const std::string format = tools.format.empty() ? "no known format of calls" : tools.format;
    std::fprintf(stderr,
                 "%s: tools %s\n",
                 printable(model).c_str(),
                 tools.in_template ? printable(format).c_str() : "none in the chat template");
  };
  if (flags.log_format == "text") options.on_model = print_tools;
  options.on_ready = [&](const std::string& url) {
    print_banner(url, options.models.front().name, options.service.web);
  };
  // Beside a log of JSON it would be no JSON.
  if (isatty(STDERR_FILENO) == 1 && flags.log_format == "text") options.on_status = print_status;
  options.on_warning = [](const std::string& text) {
    std::fprintf(stderr, "%s %s\n", timestamp().c_str(), printable(text).c_str());
  };
  options.on_access = flags.log_format == "json" ? log_json : log_text;
  const Status status = server::serve(options);
  return status.ok() ? kExitOk : report(status);
}

void add_http_flags(CLI::App* command, ServeFlags* flags) {
  server::ServerOptions& server = flags->server;
  const char* const group = "Server options";
  const auto add = [command, group](const char* name, auto& value, const char* what) {
    return command->add_option(name, value, what)->group(group)->capture_default_str();
  };
  add("--host", server.host, "The address to listen on; not a loopback one needs keys");
  add("--port", server.port, "The port; 0: any that is free")->check(CLI::Range(0, 65535));
  add("--unix-socket", server.unix_socket, "Listen on a Unix socket in place of host and port");
  add("--api-key-file", server.api_key_file, "Keys that let a client in, one a line");
  command->add_flag("--no-auth", server.no_auth, "Serve without keys even where others can connect")
      ->group(group);
  add("--tls-cert", server.tls_cert, "Serve HTTPS with this certificate and its chain, PEM");
  add("--tls-key", server.tls_key, "The key of the certificate, PEM");
  add("--otlp-endpoint",
      server.otlp_endpoint,
      "A collector of traces, such as http://127.0.0.1:4318");
  add("--cors", server.service.cors_origins, "An origin whose pages may use this server; * for all")
      ->allow_extra_args(false);
  add("--max-queue", server.service.max_queue, "Answers that may wait for a place in a step")
      ->check(CLI::Range(1, 1'000'000));
  add("--request-timeout", flags->request_timeout_s, "Seconds a request may take; 0: any")
      ->check(CLI::Range(0.0, 1e6));
  add("--idle-timeout",
      flags->idle_timeout_s,
      "Seconds without a request after which a model is unloaded, until the next; 0: never")
      ->check(CLI::Range(0.0, 1e6));
  add("--shutdown-timeout", flags->shutdown_timeout_s, "Seconds to finish after SIGTERM")
      ->check(CLI::Range(0.0, 1e6));
  command->add_flag("--no-web", flags->no_web, "Serve no web chat at / and no view at /engine")
      ->group(group);
  command
      ->add_flag("--debug-engine",
                 server.debug_engine,
                 "Serve /debug/engine, for the view at /engine, even where others can connect")
      ->group(group);
  add("--log-format", flags->log_format, "text or json, a line a request on stderr")
      ->check(CLI::IsMember({"text", "json"}));
}

}  // namespace

void add_serve_command(CLI::App* app, Action* action) {
  auto flags = std::make_shared<ServeFlags>();  // shared with the action that outlives this call
  CLI::App* command = app->add_subcommand("serve", "Serve models over HTTP, as OpenAI's API does");
  command->footer(
      "Examples:\n"
      "  quire serve -m models/smollm2-135m-instruct\n"
      "  quire serve -m PKG -m PKG2 --host 0.0.0.0 --api-key-file keys.txt\n"
      "A request names a model by its folder's name.");
  add_models_flags(command, &flags->packages, &flags->model);
  add_tools_flag(command, &flags->model);
  add_http_flags(command, flags.get());
  command->callback([flags, action] { *action = [flags] { return run_serve(*flags); }; });
}

}  // namespace quire::cli
