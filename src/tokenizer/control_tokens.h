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
  std::vector<TokenId> turn_ids;     // of these, the ones that end a text or stand around a call
  // What the chat template writes itself (ChatTemplate::own_texts()). Each added token that stands
  // in one of these is a control token, unless it is a single character or whitespace only.
  std::vector<std::string> template_texts;
};

// Sets `control` of the added tokens that the options are about.
void mark_control_tokens(const TokenizerOptions& options, std::vector<AddedToken>* tokens);

// Whether the unknown token is nothing but that: it is called so, ends no text, stands around no
// call and is not written by the template. Characters of anybody's that the vocabulary lacks may
// become it then, as in the reference; spelled in a text it is no token all the same.
bool is_only_unknown(const TokenizerOptions& options, TokenId id, const std::string& content);

}  // namespace quire
