#pragma once

#include <string>
#include <vector>

#include "quire/types.h"
#include "tokenizer/added_tokens.h"

namespace quire {

// What a tokenizer is told beside its own files: which tokens steer the model, though
// tokenizer.json does not call them special. Text that is not trusted can spell none of them.
struct TokenizerOptions {
  std::vector<TokenId> control_ids;  // those that are no added tokens are of no account
  // What the chat template writes itself (ChatTemplate::own_texts()). Each added token that stands
  // in one of these is a control token, unless it is a single character or whitespace only.
  std::vector<std::string> template_texts;
};

// Sets `control` of the added tokens that the options are about.
void mark_control_tokens(const TokenizerOptions& options, std::vector<AddedToken>* tokens);

}  // namespace quire
