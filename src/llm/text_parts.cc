#include "llm/text_parts.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "llm/package_parts.h"

namespace quire {

Result<TextParts> load_text_parts(const ModelPackage& package, const std::string& tool_format) {
  TextParts parts;
  QUIRE_ASSIGN(parts.defaults, load_generation_defaults(package.folder));
  parts.encoder = std::make_shared<PromptEncoder::Parts>();
  QUIRE_ASSIGN(const nlohmann::json config, load_tokenizer_config(package.folder));
  QUIRE_ASSIGN(parts.encoder->chat_format, load_chat_format(package.folder, config));
  const auto& chat = parts.encoder->chat_format;
  QUIRE_ASSIGN(parts.encoder->tool_support,
               find_tool_support(chat ? &*chat : nullptr, tool_format));
  QUIRE_ASSIGN(
      parts.encoder->tokenizer,
      load_tokenizer_if_any(package.folder,
                            control_options(package, parts.defaults, chat ? &*chat : nullptr)));
  // A folder of others says in its tokenizer.json what goes around a text, as for AutoTokenizer.
  if (is_package(package.folder)) {
    QUIRE_ASSIGN(parts.encoder->text_prefix,
                 find_text_prefix(config, parts.encoder->tokenizer.get()));
  }
  return parts;
}

}  // namespace quire
