#pragma once

#include <nlohmann/json_fwd.hpp>

#include "quire/status.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/control_tokens.h"

namespace quire {

// Read the parts of tokenizer.json around the model into `spec`. `json` may be null (the part is
// absent); a component that is not understood is refused by its name.
Status read_normalizer(const nlohmann::json* json, BpeTokenizerSpec* spec);
Status read_pre_tokenizer(const nlohmann::json* json, PreTokenizerRules* rules);
Status read_post_processor(const nlohmann::json* json, BpeTokenizerSpec* spec);
Status read_decoder(const nlohmann::json* json, DecodeRules* rules);

// Whether the unknown token is that and no other, one around texts for example. After all of the
// above.
bool is_unknown_text(const BpeTokenizerSpec& spec, const TokenizerOptions& options);

}  // namespace quire
