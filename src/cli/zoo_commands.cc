#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/zoo_manifest.h"

namespace quire::cli {
namespace {

struct PullFlags {
  std::string name;
  std::string output;
  bool force = false;
};

// The Python that has quire_export: QUIRE_PYTHON, which the command of the Python package sets; the
// active virtual environment's; that of the repository this program was built in; or python3.
std::string python_program() {
  if (const char* chosen = std::getenv("QUIRE_PYTHON")) return chosen;
  if (const char* venv = std::getenv("VIRTUAL_ENV")) return std::string(venv) + "/bin/python";
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path built = self.parent_path() / "../../.venv/bin/python";
  if (!error && std::filesystem::exists(built, error)) return built.lexically_normal().string();
  return "python3";
}

// Python looks for modules in the current folder first, which holds whatever somebody put there. -P
// (Python 3.11) keeps it out of the one we start, this environment out of those that one starts:
// PYTHONPATH loses the entries that mean the current folder, of which "a::b" and "a:" have one.
void keep_python_out_of_current_folder() {
  setenv("PYTHONSAFEPATH", "1", /*overwrite=*/1);
  const char* given = std::getenv("PYTHONPATH");
  if (given == nullptr) return;
  std::string kept;
  std::istringstream entries(given);
  for (std::string entry; std::getline(entries, entry, ':');) {
    const std::filesystem::path normal = std::filesystem::path(entry).lexically_normal();
    if (normal.empty() || normal == "." || normal == "./") continue;
    kept += (kept.empty() ? "" : ":") + entry;
  }
  kept.empty() ? unsetenv("PYTHONPATH") : setenv("PYTHONPATH", kept.c_str(), 1);
}

// Runs a program and waits; its exit code, or -1 when it could not be run or was killed. `quiet`
// sends what it prints nowhere.
int run_program(const std::vector<std::string>& arguments, bool quiet) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    if (quiet && (std::freopen("/dev/null", "w", stdout) == nullptr ||
                  std::freopen("/dev/null", "w", stderr) == nullptr)) {
      _exit(127);
    }
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

int run_list() {
  const auto manifest = parse_json(kZooManifest, "the zoo's manifest");
  if (!manifest) return report(manifest.error());
  for (const nlohmann::json& model : (*manifest)["models"]) {
    const std::string name = model["name"];
    std::error_code error;
    const bool here = std::filesystem::exists("models/" + name + "/model_info.json", error);
    print_out("%-24s %5s  %6.0f MiB  %-20s %s%s\n",
              name.c_str(),
              model["parameters"].get<std::string>().c_str(),
              model["source"]["size"].get<double>() / 1048576.0,
              model["license"].get<std::string>().c_str(),
              model["about"].get<std::string>().c_str(),
              here ? "  (in models/)" : "");
  }
  return kExitOk;
}

int run_pull(const PullFlags& flags) {
  const auto manifest = parse_json(kZooManifest, "the zoo's manifest");
  if (!manifest) return report(manifest.error());
  std::string known;
  bool found = false;
  for (const nlohmann::json& model : (*manifest)["models"]) {
    known += (known.empty() ? "" : ", ") + model["name"].get<std::string>();
    found = found || model["name"] == flags.name;
  }
  if (!found) {
    return report(invalid_argument("there is no model \"" + flags.name.substr(0, 64) +
                                   "\" in the zoo; known: " + known));
  }
  const std::string python = python_program();
  keep_python_out_of_current_folder();
  if (run_program({python, "-P", "-c", "import quire_export"}, /*quiet=*/true) != 0) {
    return report(
        unimplemented(python + " has no quire-llm, which pull needs; pip install quire-llm, or set "
                               "QUIRE_PYTHON to a Python that has it"));
  }
  std::vector<std::string> command = {python, "-P", "-m", "quire_export.zoo", flags.name};
  if (!flags.output.empty()) command.insert(command.end(), {"-o", flags.output});
  if (flags.force) command.emplace_back("--force");
  const int code = run_program(command, /*quiet=*/false);
  if (code < 0) return report(internal_error(python + " was killed"));
  // Python ends with 120 where its output could not be written; ours are 0 to 3.
  return code <= kExitBadModel ? code : kExitFailure;
}

}  // namespace

void add_zoo_commands(CLI::App* app, Action* action) {
  CLI::App* list = app->add_subcommand("list", "The models that pull can fetch");
  list->footer("Example:\n  quire list");
  list->callback([action] { *action = run_list; });

  auto flags = std::make_shared<PullFlags>();  // shared with the action that outlives this call
  CLI::App* pull = app->add_subcommand("pull", "Fetch a model by name, check it and export it");
  pull->footer(
      "Uses the Python in QUIRE_PYTHON, of the active virtual environment or of the repository it "
      "was\nbuilt in, or python3; with quire-llm in it.\n"
      "Downloads are kept in QUIRE_CACHE (~/.cache/quire); one that was broken off goes on.\n"
      "Example:\n  quire pull smollm2-135m-instruct\n"
      "  quire chat -m models/smollm2-135m-instruct");
  pull->add_option("name", flags->name, "As `quire list` shows it")->required();
  pull->add_option("-o,--output", flags->output, "The package's folder; models/NAME unless given");
  pull->add_flag("--force", flags->force, "Replace a package that is there");
  pull->callback([flags, action] { *action = [flags] { return run_pull(*flags); }; });
}

}  // namespace quire::cli
