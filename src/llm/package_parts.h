#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/tool_loop.h"
#include "package/generation_defaults.h"
#include "package/model_package.h"
#include "quire/chat.h"
#include "quire/result.h"
#include "quire/tokenizer.h"
#include "quire/types.h"
#include "tokenizer/control_tokens.h"

namespace quire {

// A chat template with the strings it may print besides what is in the messages.
struct ChatFormat {
  ChatTemplate chat_template;
  ChatRenderOptions options;
};

// The tokenizer of a folder in Hugging Face layout; null when it has no tokenizer.json.
Result<std::unique_ptr<Tokenizer>> load_tokenizer_if_any(const std::filesystem::path& folder,
                                                         const TokenizerOptions& options = {});

// tokenizer_config.json of such a folder, an object; empty without one.
Result<nlohmann::json> load_tokenizer_config(const std::filesystem::path& folder);

// The chat template of such a folder: chat_template.jinja, or the one in its tokenizer_config.json.
// Empty when it has neither.
Result<std::optional<ChatFormat>> load_chat_format(const std::filesystem::path& folder,
                                                   const nlohmann::json& tokenizer_config);

// What a template does with tools; with the format of the option `tool_format` unless it is auto.
// kInvalidArgument: an option that names no format.
Result<ToolSupport> find_tool_support(const ChatFormat* chat_format,
                                      const std::string& tool_format);

// The beginning-of-sequence id that belongs before every plain text where tokenizer_config.json of
// a package says add_bos_token; else empty.
Result<std::vector<TokenId>> find_text_prefix(const nlohmann::json& tokenizer_config,
                                              const Tokenizer* tokenizer);

// What steers the model beside what its tokenizer.json calls special: ids that the package lists or
// that end a text, the markers of a tool, and what the chat template writes itself.
TokenizerOptions control_options(const ModelPackage& package,
                                 const GenerationDefaults& defaults,
                                 const ChatFormat* chat_format);

// What answers the tool calls of a package under the option `tools`; empty for nothing. The
// tokenizer must outlive it. Fails when a tool is asked for that the package has no markers for, or
// by the package that there is none of.
Result<std::optional<ToolLoop>> make_tool_loop(const ModelPackage& package,
                                               const std::string& tools,
                                               const Tokenizer* tokenizer);

}  // namespace quire
