#pragma once

#include <memory>
#include <string>

#include "llm/encoder_parts.h"
#include "package/generation_defaults.h"
#include "package/model_package.h"
#include "quire/result.h"

namespace quire {

// What a package says beside its graph.
struct TextParts {
  GenerationDefaults defaults;
  std::shared_ptr<PromptEncoder::Parts> encoder;
};

// Reads it, with the tool format of the option `tool_format`. Of the package only the folder must
// be known: one that has tokenizer files alone will do. Any thread.
Result<TextParts> load_text_parts(const ModelPackage& package, const std::string& tool_format);

}  // namespace quire
