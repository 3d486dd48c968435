#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "llm/end_ids.h"
#include "llm/package_parts.h"
#include "package/model_package.h"
#include "quire/printable.h"

namespace quire::cli {
namespace {

std::string mebibytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f MiB", static_cast<double>(bytes) / 1048576.0);
  return text;
}

void print_row(const char* name, const std::string& value) {
  print_out("  %-14s %s\n", name, printable(value).c_str());
}

void print_package(const ModelPackage& package) {
  print_out("%s\n", printable(package.name).c_str());
  print_row("architecture", package.architecture);
  print_row("source",
            package.source + (package.license.empty() ? "" : " (" + package.license + ")"));
  std::string backends;
  for (const std::string& backend : package.backends) backends += " " + backend;
  print_row("graph", package.graph + ", for" + backends);
  print_row(
      "layers",
      std::to_string(package.num_layers) + " of width " + std::to_string(package.hidden_size));
  print_row("attention",
            std::to_string(package.num_heads) + " heads, " + std::to_string(package.num_kv_heads) +
                " for keys and values, of " + std::to_string(package.head_dim));
  if (package.vocab_size > 0) print_row("vocabulary", std::to_string(package.vocab_size));
  print_row("context", std::to_string(package.max_seq_len) + " tokens");
  print_row("weights", package.quantization == "none" ? package.dtype : package.quantization);
  if (package.files.empty()) return;
  print_out("  files\n");
  for (const auto& [name, file] : package.files) {
    print_out("    %-26s %14s  sha256 %.16s...\n",
              printable(name).c_str(),
              mebibytes(file.size).c_str(),
              file.sha256.c_str());
  }
}

// Each id that ends an answer, what it is and where that is known from.
Status print_ends(const ModelPackage& package, const Tokenizer* tokenizer, const ChatFormat* chat) {
  QUIRE_ASSIGN(const GenerationDefaults defaults, load_generation_defaults(package.folder));
  const std::vector<EndId> ends = find_end_ids(package, defaults, tokenizer, chat);
  if (ends.empty()) print_row("ends at id", "none");
  for (const EndId& end : ends) {
    const std::string text = tokenizer == nullptr ? "" : tokenizer->token_bytes(end.id);
    print_row("ends at id",
              std::to_string(end.id) + (text.empty() ? "" : " " + text) + " (" + end.reason + ")");
  }
  return ok_status();
}

// What a request's tools come to with this package.
void print_tools(const ChatFormat& chat) {
  const auto support = find_tool_support(&chat, "auto");
  if (!support) return;
  const std::string format = support->format.empty() ? "calls not known" : support->format;
  print_row("tools", support->in_template ? format : "none in the chat template");
}

int run_inspect(const std::filesystem::path& path) {
  const auto package = open_package(path);
  if (!package) return report(package.error());
  print_package(*package);
  flush_out();
  if (Status status = check_package_sha256(*package); !status.ok()) return report(status);
  const std::filesystem::path& folder = package->folder;
  const auto tokenizer = load_tokenizer_if_any(folder);
  if (!tokenizer) return report(tokenizer.error());
  const auto config = load_tokenizer_config(folder);
  if (!config) return report(config.error());
  const auto chat_format = load_chat_format(folder, *config);
  if (!chat_format) return report(chat_format.error());
  if (Status status =
          print_ends(*package, tokenizer->get(), *chat_format ? &**chat_format : nullptr);
      !status.ok()) {
    return report(status);
  }
  print_row("tokenizer", *tokenizer ? std::to_string((*tokenizer)->vocab_size()) + " ids" : "none");
  print_row("chat template", *chat_format ? "yes" : "none");
  if (*chat_format) print_tools(**chat_format);
  print_out("%s\n",
            package->files.empty()
                ? "not written by quire-export: nothing tells whether it is intact"
                : "intact: every file has its recorded sha256");
  return kExitOk;
}

}  // namespace

void add_inspect_command(CLI::App* app, Action* action) {
  auto folder = std::make_shared<std::filesystem::path>();  // shared with the action
  CLI::App* command =
      app->add_subcommand("inspect", "What is in a package, and whether it is intact");
  command->footer("Example:\n  quire inspect models/smollm2-135m-instruct");
  add_package_flag(command, folder.get(), /*positional=*/true);
  command->callback([folder, action] { *action = [folder] { return run_inspect(*folder); }; });
}

}  // namespace quire::cli
