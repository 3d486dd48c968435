#include "cli/engine_flags.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/cpus.h"
#include "cli/config_file.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "quire/printable.h"
#include "tool_calls/format.h"

namespace quire::cli {
namespace {

constexpr const char* kGroup = "Engine options";

// Gives the options that neither the command line nor the environment set their values from a file.
// CLI11's own set_config is read on the application only, never on a command.
void apply_config(CLI::App* command, const std::string& path, ModelFlags* flags) {
  if (!command->parsed()) return;  // CLI11 reads the environment for all commands
  const auto entries = read_config_file(path);
  if (!entries) throw CLI::ValidationError("--config", entries.error().message());
  for (const ConfigEntry& entry : *entries) {
    CLI::Option* option = command->get_option_no_throw("--" + entry.name);
    if (option == nullptr || option->get_group() != kGroup || entry.name == "config") {
      throw CLI::ValidationError("--config",
                                 path + " sets \"" + entry.name + "\", which is no engine option");
    }
    if (option->count() > 0) continue;
    option->add_result(entry.value);
    flags->from_file.insert(entry.name);
  }
}

}  // namespace

void add_package_flag(CLI::App* command, std::filesystem::path* package, bool positional) {
  const char* const names = positional ? "package,-m,--model" : "-m,--model";
  command->add_option(names, *package, "The model package, a folder; or an .onnx file of one")
      ->envname("QUIRE_MODEL")
      ->required();
}

namespace {

// The cache, and who shares it in a step.
void add_cache_flags(CLI::App* command, ModelFlags* flags) {
  EngineOptions& engine = flags->engine;
  command
      ->add_option("--kv-blocks", engine.num_kv_blocks, "Cache blocks; 0: a quarter of free memory")
      ->envname("QUIRE_KV_BLOCKS")
      ->group(kGroup)
      ->capture_default_str();
  command
      ->add_option(
          "--kv-dtype", engine.kv_dtype, "Cache element type: auto, fp32, fp16, bf16, int8")
      ->envname("QUIRE_KV_DTYPE")
      ->group(kGroup)
      ->capture_default_str();
  command
      ->add_option("--activation-bits",
                   engine.activation_bits,
                   "Of activations that meet 4- and 8-bit weights: auto, 8 (faster), 16 (closer)")
      ->envname("QUIRE_ACTIVATION_BITS")
      ->group(kGroup)
      ->capture_default_str();
  command->add_option("--block-size", engine.block_size, "Tokens a cache block")
      ->envname("QUIRE_BLOCK_SIZE")
      ->group(kGroup)
      ->capture_default_str();
  command->add_option("--max-num-seqs", engine.max_num_seqs, "Sequences that run at once")
      ->envname("QUIRE_MAX_NUM_SEQS")
      ->group(kGroup)
      ->capture_default_str();
  command->add_option("--max-batch-tokens", engine.max_batch_tokens, "Tokens a step at most")
      ->envname("QUIRE_MAX_BATCH_TOKENS")
      ->group(kGroup)
      ->capture_default_str();
  command
      ->add_option("--speculate",
                   engine.speculate,
                   "Tokens a step may guess from the text so far and check; same answers, faster "
                   "where a text repeats itself; 0: none")
      ->envname("QUIRE_SPECULATE")
      ->group(kGroup)
      ->capture_default_str();
  command->add_flag("--no-prefix-cache", flags->no_prefix_cache, "Do not share equal beginnings")
      ->envname("QUIRE_NO_PREFIX_CACHE")
      ->group(kGroup);
}

void add_engine_flags(CLI::App* command, ModelFlags* flags) {
  flags->command = command;
  EngineOptions& engine = flags->engine;
  // First: its callback must have run before those of the options it sets.
  command
      ->add_option_function<std::string>(
          "--config",
          [command, flags](const std::string& path) { apply_config(command, path, flags); },
          "A file of engine options, such as max-num-seqs = 4; flags and environment come first")
      ->envname("QUIRE_CONFIG")
      ->group(kGroup);
  command
      ->add_option("--threads",
                   engine.num_threads,
                   "Threads of a step; 0: what affinity and CPU quota allow")
      ->envname("QUIRE_THREADS")
      ->group(kGroup)
      ->capture_default_str();
  command
      ->add_flag("--pin-threads", engine.pin_threads, "Keep each thread of a step on one processor")
      ->envname("QUIRE_PIN_THREADS")
      ->group(kGroup);
  command->add_option("--device", engine.device, "cpu")
      ->envname("QUIRE_DEVICE")
      ->group(kGroup)
      ->capture_default_str();
  command->add_option("--backend", engine.backend, "auto, graph, onnx or torch")
      ->envname("QUIRE_BACKEND")
      ->group(kGroup)
      ->capture_default_str();
  command
      ->add_flag("--trust-torchscript",
                 engine.trust_torchscript,
                 "Run a model.pt that is not the one model_info.json names: it is a program")
      ->group(kGroup);
  add_cache_flags(command, flags);
  command->add_flag("--show-config",
                    flags->show_config,
                    "Print the engine options in force and where they come from, and do no more");
}

}  // namespace

void add_model_flags(CLI::App* command, ModelFlags* flags, bool positional) {
  add_package_flag(command, &flags->package, positional);
  add_engine_flags(command, flags);
}

void add_models_flags(CLI::App* command,
                      std::vector<std::filesystem::path>* packages,
                      ModelFlags* flags) {
  command->add_option("-m,--model", *packages, "A model package, a folder; may be given again")
      ->envname("QUIRE_MODEL")
      ->required()
      ->allow_extra_args(false);
  add_engine_flags(command, flags);
}

void add_tools_flag(CLI::App* command, ModelFlags* flags) {
  command
      ->add_option("--tools",
                   flags->engine.tools,
                   "What answers the model's tool calls: auto (as the package says), none, "
                   "calculator, arithmetic")
      ->envname("QUIRE_TOOLS")
      ->group(kGroup)
      ->capture_default_str();
  command
      ->add_option("--tool-format",
                   flags->engine.tool_format,
                   "How the model writes calls of a request's tools: auto (as the chat template "
                   "does), or " +
                       tool_calls::format_names())
      ->envname("QUIRE_TOOL_FORMAT")
      ->group(kGroup)
      ->capture_default_str();
}

int show_config(const ModelFlags& flags) {
  print_out("# quire " QUIRE_VERSION " %s; 0 and auto: chosen when the model is opened\n",
            flags.command->get_name().c_str());
  print_out("# threads = 0 is %s\n", describe_cpus(read_cpu_limits()).c_str());
  for (const CLI::Option* option : flags.command->get_options()) {
    if (option->get_group() != kGroup) continue;
    const std::string name = option->get_lnames().front();
    const bool is_flag = option->get_expected_max() == 0;
    std::string value = is_flag ? "false" : option->get_default_str();
    const char* origin = "default";
    if (option->count() > 0) {
      value = option->as<std::string>();
      // The environment counts only where nothing else has set it, so equal values are its own.
      const char* environment = std::getenv(option->get_envname().c_str());
      origin = environment != nullptr && value == environment ? "environment" : "command line";
    }
    if (flags.from_file.contains(name)) origin = "configuration file";
    if (!value.empty())
      print_out("%s = %s  # %s\n", name.c_str(), printable(value).c_str(), origin);
  }
  return kExitOk;
}

std::string package_name(const std::filesystem::path& folder) {
  const std::filesystem::path normal = std::filesystem::absolute(folder).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

EngineOptions engine_options(const ModelFlags& flags) {
  EngineOptions options = flags.engine;
  options.prefix_cache = !flags.no_prefix_cache;
  return options;
}

}  // namespace quire::cli
