#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "llm/constraint_compiler.h"
#include "llm/package_parts.h"
#include "quire/prompt_encoder.h"

namespace quire {

struct PromptEncoder::Parts {
  std::unique_ptr<Tokenizer> tokenizer;
  std::optional<ChatFormat> chat_format;
  ToolSupport tool_support;          // of the chat template
  std::vector<TokenId> text_prefix;  // before plain texts, where the tokenizer itself adds nothing
  ConstraintCompiler constraints;    // may be used by many threads
};

}  // namespace quire
