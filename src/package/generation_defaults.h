#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "quire/result.h"
#include "quire/sampling_params.h"
#include "quire/types.h"

namespace quire {

class JsonObject;

// The field eos_token_id of a configuration of Hugging Face: one id or a list of them; empty where
// it has none.
Result<std::vector<TokenId>> read_eos_token_id(const JsonObject& config);

// Sampling parameters that generation_config.json recommends, and the ids it ends a text at.
struct GenerationDefaults {
  SamplingParams params;
  std::optional<int> max_tokens;
  std::vector<TokenId> eos_ids;
};
Result<GenerationDefaults> load_generation_defaults(const std::filesystem::path& folder);

}  // namespace quire
