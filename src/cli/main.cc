#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/output.h"
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
  add_serve_command(&app, &action);
  add_tokenize_commands(&app, &action);
  add_inspect_command(&app, &action);
  add_verify_command(&app, &action);
  add_bench_command(&app, &action);
  add_eval_command(&app, &action);
  add_zoo_commands(&app, &action);
  add_completion_command(&app, &action);
  for (CLI::App* command : app.get_subcommands({})) {
    command->set_version_flag("--version", "quire " QUIRE_VERSION);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream text;
    const int code = app.exit(help, text, text);
    write_out(text.str());
    return code == 0 ? kExitOk : kExitFailure;
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  return action();
}

int run_to_the_end(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const OutputLost&) {
    throw;
  } catch (const std::bad_alloc&) {
    return report(resource_exhausted("out of memory"));
  } catch (const std::exception& error) {
    return report(internal_error(std::string("unexpected: ") + error.what()));
  }
}

// Output that cannot be written is a failure whatever the command came to.
int run_and_write(int argc, char** argv) {
  try {
    check_standard_streams();
    const int code = run_to_the_end(argc, argv);
    finish_out();
    return code;
  } catch (const OutputLost& lost) {
    return report(lost);
  }
}

}  // namespace
}  // namespace quire::cli

int main(int argc, char** argv) {
  // A closed pipe and a file at its size limit are errors of a write, told as such.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return quire::cli::run_and_write(argc, argv);
}
