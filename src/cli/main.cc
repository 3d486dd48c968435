#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "quire/status.h"

namespace quire::cli {
namespace {

// The first line of what CLI11 says, with where to read more.
int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = error.what();
  message = message.substr(0, message.find('\n'));
  // CLI11 misses a command before it says that it does not know the one given.
  const std::vector<std::string> unknown = app.remaining();
  if (app.get_subcommands().empty() && !unknown.empty()) {
    const bool is_flag = unknown.front().starts_with("-");
    message = (is_flag ? "there is no option " : "there is no command ") + unknown.front();
  }
  std::string command = "quire";
  for (const CLI::App* chosen : app.get_subcommands()) command += " " + chosen->get_name();
  return report(invalid_argument(message + "; see " + command + " --help"));
}

int run(int argc, char** argv) {
  CLI::App app("quire: serves language models you exported yourself", "quire");
  app.set_version_flag("--version", "quire " QUIRE_VERSION);
  app.footer(
      "Example:\n  quire generate -m models/smollm2-135m-instruct \"What is the capital of "
      "France?\"\n"
      "Run `quire COMMAND --help` for the options of a command.");
  app.require_subcommand(1);
  Action action;
  add_generate_command(&app, &action);
  add_chat_command(&app, &action);
  add_tokenize_commands(&app, &action);
  add_inspect_command(&app, &action);
  add_verify_command(&app, &action);
  add_bench_command(&app, &action);
  add_eval_command(&app, &action);
  add_zoo_commands(&app, &action);
  for (CLI::App* command : app.get_subcommands({})) {
    command->set_version_flag("--version", "quire " QUIRE_VERSION);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help) == 0 ? kExitOk : kExitFailure;
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  return action();
}

}  // namespace
}  // namespace quire::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return quire::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    return quire::cli::report(quire::resource_exhausted("out of memory"));
  } catch (const std::exception& error) {
    return quire::cli::report(quire::internal_error(std::string("unexpected: ") + error.what()));
  }
}
