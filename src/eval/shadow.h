#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "quire/llm.h"
#include "quire/result.h"
#include "quire/types.h"

namespace quire {

// A logit that two runners of one model compute differently.
struct ShadowDifference {
  std::string prompt;  // of golden.json, by name
  std::size_t position = 0;
  TokenId id = 0;
  float first = 0;
  float second = 0;
};

// How two runners of one package compare on the prompts of golden.json, continuations included.
struct ShadowReport {
  int num_prompts = 0;
  int num_positions = 0;
  int num_agreeing = 0;  // positions where both have the same best token
  double max_logit_diff = 0;
  double tolerated_logit_diff = 0;                   // the package's own tolerance
  std::optional<ShadowDifference> first_difference;  // none: every logit is equal, bit for bit
};

// Runs the prompts of the package in `folder` on both, which were opened from it and are idle.
// Fails with kBadModel when golden.json cannot be used or the vocabularies differ.
Result<ShadowReport> shadow_package(const std::filesystem::path& folder, Llm* first, Llm* second);

}  // namespace quire
