#pragma once

#include <filesystem>

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
};

// Adds -m/--model alone; a positional argument too where `positional` is set.
void add_package_flag(CLI::App* command, std::filesystem::path* package, bool positional = false);

// Adds -m/--model and the engine options, each also as QUIRE_... in the environment and in
// --config.
void add_model_flags(CLI::App* command, ModelFlags* flags, bool positional = false);

// Adds --tools, for commands that answer prompts.
void add_tools_flag(CLI::App* command, ModelFlags* flags);

// The engine options as given.
EngineOptions engine_options(const ModelFlags& flags);

}  // namespace quire::cli
