#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "quire/status.h"

namespace quire {

// What transformers 5 knows of the tokenizers of some families, and a tokenizer.json does not say:
// its classes put components of their own in the place of the file's.

// The class that AutoTokenizer chooses, without "Fast"; empty for the one that takes the file as it
// is.
std::string tokenizer_class_of(const nlohmann::json& tokenizer_config,
                               const nlohmann::json& model_config,
                               const nlohmann::json& document);

bool is_rebuilding_class(const std::string& name);

// The named tokens a class has where no file names them.
nlohmann::json class_tokens(const std::string& name);

// Puts the components of a class into a tokenizer.json; does nothing for other classes.
Status rebuild_components(const std::string& name,
                          const nlohmann::json& tokenizer_config,
                          const std::string& unknown,
                          nlohmann::json* document);

}  // namespace quire
