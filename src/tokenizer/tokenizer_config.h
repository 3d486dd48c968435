#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "quire/status.h"
#include "quire/types.h"

namespace quire {

// The files beside a tokenizer.json that the Hugging Face library lets change what it says; null
// where there is none. All may hold anything.
struct TokenizerConfigFiles {
  nlohmann::json tokenizer_config;
  nlohmann::json added_tokens;        // older: texts and ids
  nlohmann::json special_tokens_map;  // older: the named tokens
  nlohmann::json config;              // the model's, whose kind may choose the class
};

// The model's own vocabulary, without added tokens.
struct ModelVocabulary {
  std::function<std::optional<TokenId>(const std::string& text)> id_of;
  std::size_t size = 0;
};

// Changes a tokenizer.json (without its long parts, perhaps) to what AutoTokenizer of transformers
// 5 makes of it and the other files: flags of added tokens, tokens that stand only there, the ones
// it puts around a text, and what the classes of some families put in the place of the file's
// components. Fails with kBadModel on a file that cannot be understood.
Status apply_tokenizer_config(const TokenizerConfigFiles& files,
                              const ModelVocabulary& vocabulary,
                              nlohmann::json* document);

}  // namespace quire
