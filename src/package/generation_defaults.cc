#include "package/generation_defaults.h"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/json.h"

namespace quire {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20U;

Result<double> number_or(const JsonObject& config, const char* key, double fallback) {
  return config.has(key) ? config.number(key) : Result<double>(fallback);
}

}  // namespace

Result<std::vector<TokenId>> read_eos_token_id(const JsonObject& config) {
  if (!config.has("eos_token_id")) return std::vector<TokenId>();
  constexpr std::int64_t kMost = std::numeric_limits<TokenId>::max();
  if (config.value()["eos_token_id"].is_array()) {
    QUIRE_ASSIGN(const auto ids, config.integers("eos_token_id", 0, kMost));
    return std::vector<TokenId>(ids.begin(), ids.end());
  }
  QUIRE_ASSIGN(const std::int64_t id, config.integer("eos_token_id", 0, kMost));
  return std::vector<TokenId>{static_cast<TokenId>(id)};
}

namespace {

Result<GenerationDefaults> read_generation_defaults(const std::filesystem::path& folder) {
  GenerationDefaults defaults;
  const std::filesystem::path path = folder / "generation_config.json";
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return defaults;
  QUIRE_ASSIGN(const nlohmann::json json, read_json_file(path, kMaxConfigBytes));
  QUIRE_ASSIGN(const JsonObject config, JsonObject::of(json, path.string()));
  QUIRE_ASSIGN(defaults.eos_ids, read_eos_token_id(config));
  if (config.has("max_new_tokens") && !config.value()["max_new_tokens"].is_null()) {
    QUIRE_ASSIGN(const std::int64_t count, config.integer("max_new_tokens", 1, INT32_MAX));
    defaults.max_tokens = static_cast<int>(count);
  }
  if (config.has("do_sample")) {
    QUIRE_ASSIGN(const bool do_sample, config.boolean("do_sample"));
    if (!do_sample) return defaults;
  }
  SamplingParams& params = defaults.params;
  QUIRE_ASSIGN(params.temperature, number_or(config, "temperature", params.temperature));
  QUIRE_ASSIGN(params.top_p, number_or(config, "top_p", params.top_p));
  QUIRE_ASSIGN(params.min_p, number_or(config, "min_p", params.min_p));
  QUIRE_ASSIGN(params.repetition_penalty,
               number_or(config, "repetition_penalty", params.repetition_penalty));
  if (config.has("top_k")) {
    QUIRE_ASSIGN(const std::int64_t top_k, config.integer("top_k", -1, INT32_MAX));
    params.top_k = static_cast<int>(top_k);
  }
  if (Status status = validate(params, std::numeric_limits<int>::max()); !status.ok()) {
    return bad_model(path.string() + ": " + status.message());
  }
  return defaults;
}

}  // namespace

Result<GenerationDefaults> load_generation_defaults(const std::filesystem::path& folder) {
  auto defaults = read_generation_defaults(folder);
  if (defaults) return defaults;
  return defaults.error().with_next_step("check the file, or copy the package again");
}

}  // namespace quire
