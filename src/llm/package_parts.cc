#include "llm/package_parts.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "calculator/calculator.h"
#include "tokenizer/tokenizer_json.h"
#include "tool_calls/detect.h"
#include "tool_calls/format.h"

namespace quire {
namespace {

// The tool of a name: "calculator", or "arithmetic" for one without texts. kNotFound, with the
// names there are, for any other.
Result<Tool> find_tool(std::string_view name) {
  if (name == "calculator") return Tool([](std::string_view call) { return calculate(call); });
  if (name == "arithmetic") {
    return Tool([](std::string_view call) { return calculate(call, {.texts = false}); });
  }
  return Status(StatusCode::kNotFound,
                "there is no tool \"" + std::string(name.substr(0, 32)) +
                    "\"; there are calculator and arithmetic");
}

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20U;
constexpr std::string_view kMendFile = "check the file, or copy the package again";
constexpr std::uint64_t kMaxTemplateBytes = std::uint64_t{256} << 10U;

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(path, error));
}

// A special token of tokenizer_config.json: a string, or an object with the string as "content".
std::string token_text(const nlohmann::json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_object()) return {};
  const auto content = found->find("content");
  return content != found->end() && content->is_string() ? content->get<std::string>()
                                                         : std::string();
}

// The template of tokenizer_config.json: a string, or a list of named ones, of which "default"
// counts.
std::string template_in_config(const nlohmann::json& config) {
  const auto found = config.find("chat_template");
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return {};
  for (const nlohmann::json& entry : *found) {
    if (token_text(entry, "name") == "default") return token_text(entry, "template");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_tokenizer_if_any(const std::filesystem::path& folder,
                                                         const TokenizerOptions& options) {
  if (!is_there(folder / "tokenizer.json")) return std::unique_ptr<Tokenizer>();
  return load_tokenizer(folder, options);
}

TokenizerOptions control_options(const ModelPackage& package,
                                 const GenerationDefaults& defaults,
                                 const ChatFormat* chat_format) {
  TokenizerOptions options;
  for (const auto* ids : {&package.eos_ids, &defaults.eos_ids}) {
    options.turn_ids.insert(options.turn_ids.end(), ids->begin(), ids->end());
  }
  if (package.tool) {
    const PackageTool& tool = *package.tool;
    options.turn_ids.push_back(tool.call_begin);
    options.turn_ids.push_back(tool.call_end);
    for (const auto& id : {tool.result_begin, tool.result_end}) {
      if (id) options.turn_ids.push_back(*id);
    }
  }
  options.control_ids = package.control_ids;
  options.control_ids.insert(
      options.control_ids.end(), options.turn_ids.begin(), options.turn_ids.end());
  if (chat_format != nullptr) options.template_texts = chat_format->chat_template.own_texts();
  return options;
}

Result<nlohmann::json> load_tokenizer_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (!is_there(path)) return nlohmann::json::object();
  auto config = read_json_file(path, kMaxConfigBytes);
  if (config) QUIRE_TRY(JsonObject::of(*config, path.string()).error().with_next_step(kMendFile));
  if (!config) return config.error().with_next_step(kMendFile);
  return config;
}

Result<std::vector<TokenId>> find_text_prefix(const nlohmann::json& config,
                                              const Tokenizer* tokenizer) {
  const bool adds_bos =
      tokenizer != nullptr && config.value("add_bos_token", nlohmann::json()) == true;
  if (!adds_bos) return std::vector<TokenId>();
  return tokenizer->encode_special(token_text(config, "bos_token"));
}

Result<std::optional<ChatFormat>> load_chat_format(const std::filesystem::path& folder,
                                                   const nlohmann::json& config) {
  std::string source = template_in_config(config);
  if (is_there(folder / "chat_template.jinja")) {
    auto text = read_file(folder / "chat_template.jinja", kMaxTemplateBytes);
    if (!text) return text.error().with_next_step(kMendFile);
    source = *std::move(text);
  }
  if (source.empty()) return std::optional<ChatFormat>();
  auto parsed = ChatTemplate::parse(source);
  if (!parsed) {
    return bad_model("the chat template of " + folder.string() +
                     " cannot be used: " + parsed.error().message())
        .with_next_step(kMendFile);
  }
  ChatRenderOptions options;
  options.bos_token = token_text(config, "bos_token");
  options.eos_token = token_text(config, "eos_token");
  options.join_text_parts = true;
  return std::optional<ChatFormat>(ChatFormat{*std::move(parsed), std::move(options)});
}

Result<ToolSupport> find_tool_support(const ChatFormat* chat_format,
                                      const std::string& tool_format) {
  const bool is_auto = tool_format == "auto";
  if (!is_auto && !tool_calls::format_of_name(tool_format)) {
    return invalid_argument("option tool_format is \"" + tool_format.substr(0, 32) +
                            "\", but must be auto or one of " + tool_calls::format_names());
  }
  if (chat_format == nullptr) return ToolSupport();
  ToolSupport support =
      tool_calls::detect_tool_support([&](const std::vector<ChatMessage>& messages,
                                          const std::string& tools) -> Result<std::string> {
        ChatRenderOptions options = chat_format->options;
        options.tools_json = tools;
        options.add_generation_prompt = false;
        QUIRE_ASSIGN(const auto spans, chat_format->chat_template.render(messages, options));
        std::string text;
        for (const TextSpan& span : spans) text += span.text;
        return text;
      });
  if (!is_auto) support.format = tool_format == "none" ? "" : tool_format;
  return support;
}

Result<std::optional<ToolLoop>> make_tool_loop(const ModelPackage& package,
                                               const std::string& tools,
                                               const Tokenizer* tokenizer) {
  const bool is_auto = tools == "auto";
  if (tools == "none" || (is_auto && (!package.tool || package.tool->name.empty()))) {
    return std::optional<ToolLoop>();
  }
  if (!package.tool || tokenizer == nullptr) {
    const std::string lack = package.tool ? "no tokenizer" : "no tool_markers in model_info.json";
    const std::string message = package.folder.string() + " has " + lack;
    return is_auto ? bad_model(message + ", which its tool needs; export it again")
                   : invalid_argument(message + "; leave out option tools=" + tools);
  }
  Result<Tool> tool = find_tool(is_auto ? package.tool->name : tools);
  if (!tool) {
    return bad_model(package.folder.string() + ": tool_markers: " + tool.error().message() +
                     "; go without it: option tools=none");
  }
  return std::optional(ToolLoop({.call_begin = package.tool->call_begin,
                                 .call_end = package.tool->call_end,
                                 .result_begin = package.tool->result_begin,
                                 .result_end = package.tool->result_end},
                                *std::move(tool),
                                tokenizer));
}

}  // namespace quire
