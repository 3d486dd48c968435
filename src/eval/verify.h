#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "quire/llm.h"
#include "quire/result.h"

namespace quire {

// How a package's answers on this machine compare with those of the model it was made from
// (golden.json). Positions whose two best logits lie closer together than the package's margin are
// near ties: there either of the two is right.
struct VerifyReport {
  int num_positions = 0;
  int num_agreeing = 0;   // positions whose best token is the source's
  int num_near_ties = 0;  // positions below the margin
  double max_logit_diff = 0;
  double tolerated_logit_diff = 0;
  double mean_logit_diff = 0;            // over all recorded logits
  double tolerated_mean_logit_diff = 0;  // infinite where the package bounds only the largest
  double min_agreement = 0;
  int num_tokenizer_cases = 0;
  int num_chat_cases = 0;
  std::vector<std::string> failures;  // one sentence each; empty: the package is verified
};

// Replays the goldens of the package in `folder` on `llm`, which was opened from it and is idle.
// Fails with kBadModel when golden.json itself cannot be used.
Result<VerifyReport> verify_package(const std::filesystem::path& folder, Llm* llm);

}  // namespace quire
