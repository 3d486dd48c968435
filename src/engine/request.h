#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grammar/constraint.h"
#include "quire/sampling_params.h"
#include "quire/types.h"

namespace quire {

using RequestId = std::uint64_t;

// What a caller asks of the engine: one prompt, continued `params.n` times.
struct Request {
  std::vector<TokenId> prompt_ids;
  SamplingParams params;
  int priority = 0;             // lower runs first; equal ones in order of arrival
  std::string cache_salt;       // prompts share cached blocks only under the same salt
  double timeout_ms = 0;        // 0: none
  bool continues_text = false;  // the answer goes on where the prompt's text ends
  // That each sample's text must follow; null: none. params.structured_output is not looked at.
  std::shared_ptr<const Constraint> constraint;
};

}  // namespace quire
