#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "quire/options.h"

namespace CLI {
class App;
}

namespace quire::cli {

// The options that every command which runs a model has.
struct ModelFlags {
  std::filesystem::path package;
  EngineOptions engine;
  bool no_prefix_cache = false;
  bool show_config = false;
  const CLI::App* command = nullptr;  // that they were given to; set by add_model_flags()
  std::set<std::string> from_file;    // names of options that the configuration file set
};

// Adds -m/--model alone; a positional argument too where `positional` is set.
void add_package_flag(CLI::App* command, std::filesystem::path* package, bool positional = false);

// Adds -m/--model and the engine options, each also as QUIRE_... in the environment and in
// --config.
void add_model_flags(CLI::App* command, ModelFlags* flags, bool positional = false);

// The same for a command that runs several models, all with the same options.
void add_models_flags(CLI::App* command,
                      std::vector<std::filesystem::path>* packages,
                      ModelFlags* flags);

// Adds --tools and --tool-format, for commands that answer prompts.
void add_tools_flag(CLI::App* command, ModelFlags* flags);

// Prints the engine options in force, in the form of a configuration file, each with where it comes
// from; returns the exit code. For --show-config.
int show_config(const ModelFlags& flags);

// What a package's folder is called, for those who name a model.
std::string package_name(const std::filesystem::path& folder);

// The engine options as given.
EngineOptions engine_options(const ModelFlags& flags);

}  // namespace quire::cli
