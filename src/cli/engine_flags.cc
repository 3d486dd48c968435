#include "cli/engine_flags.h"

#include <CLI/CLI.hpp>
#include <filesystem>

namespace quire::cli {

void add_package_flag(CLI::App* command, std::filesystem::path* package, bool positional) {
  const char* const names = positional ? "package,-m,--model" : "-m,--model";
  command->add_option(names, *package, "The model package, a folder")
      ->envname("QUIRE_MODEL")
      ->required();
}

void add_model_flags(CLI::App* command, ModelFlags* flags, bool positional) {
  add_package_flag(command, &flags->package, positional);
  EngineOptions& engine = flags->engine;
  const char* const group = "Engine options";
  command->add_option("--threads", engine.num_threads, "Threads of a step; 0: all cores")
      ->envname("QUIRE_THREADS")->group(group);
  command->add_option("--device", engine.device, "cpu")->envname("QUIRE_DEVICE")->group(group);
  command
      ->add_option("--kv-blocks", engine.num_kv_blocks, "Cache blocks; 0: a quarter of free memory")
      ->envname("QUIRE_KV_BLOCKS")->group(group);
  command->add_option("--kv-dtype", engine.kv_dtype, "Cache element type: auto, fp32, bf16")
      ->envname("QUIRE_KV_DTYPE")->group(group)->capture_default_str();
  command->add_option("--block-size", engine.block_size, "Tokens a cache block")
      ->envname("QUIRE_BLOCK_SIZE")->group(group)->capture_default_str();
  command->add_option("--max-num-seqs", engine.max_num_seqs, "Sequences that run at once")
      ->envname("QUIRE_MAX_NUM_SEQS")->group(group)->capture_default_str();
  command->add_option("--max-batch-tokens", engine.max_batch_tokens, "Tokens a step at most")
      ->envname("QUIRE_MAX_BATCH_TOKENS")->group(group)->capture_default_str();
  command->add_flag("--no-prefix-cache", flags->no_prefix_cache, "Do not share equal beginnings")
      ->envname("QUIRE_NO_PREFIX_CACHE")->group(group);
  command->set_config("--config", "", "Read options from a TOML/INI file")
      ->envname("QUIRE_CONFIG")->group(group);
  command->allow_config_extras(CLI::config_extras_mode::error);
}

EngineOptions engine_options(const ModelFlags& flags) {
  EngineOptions options = flags.engine;
  options.prefix_cache = !flags.no_prefix_cache;
  return options;
}

}  // namespace quire::cli
