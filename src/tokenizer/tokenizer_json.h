#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "quire/result.h"
#include "quire/tokenizer.h"
#include "tokenizer/control_tokens.h"

namespace quire {

// Reads tokenizer.json of a folder in Hugging Face layout: byte-level BPE with the components that
// published models use. Anything else is refused by name (kBadModel), never guessed at. The file
// may be hostile; at most 64 MiB of it are read. In a folder that is no package (it has no
// model_info.json) tokenizer_config.json, added_tokens.json and special_tokens_map.json count as
// they do for AutoTokenizer.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::filesystem::path& folder,
                                                  const TokenizerOptions& options = {});

// The same from the text of a tokenizer.json.
Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view json,
                                                        const TokenizerOptions& options = {});

}  // namespace quire
