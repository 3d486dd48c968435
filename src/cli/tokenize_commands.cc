#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/line_reader.h"
#include "cli/output.h"
#include "package/model_package.h"
#include "quire/tokenizer.h"
#include "tokenizer/tokenizer_json.h"

namespace quire::cli {
namespace {

struct TokenizeFlags {
  std::filesystem::path package;
  std::string input = "-";
  bool special = false;
  bool skip_special = false;
  bool lines = false;
};

using Convert = std::function<Result<std::string>(const Tokenizer&, const std::string&)>;

Result<std::vector<TokenId>> encode(const Tokenizer& tokenizer,
                                    const std::string& text,
                                    bool special) {
  return special ? tokenizer.encode_special(text) : tokenizer.encode(text);
}

std::string ids_json(const std::vector<TokenId>& ids) { return nlohmann::json(ids).dump(); }

Result<std::vector<TokenId>> parse_ids(const std::string& text) {
  const bool bracketed = text.find('[') != std::string::npos;
  const auto json = parse_json(bracketed ? text : "[" + text + "]", "the list of ids");
  if (!json)
    return invalid_argument("\"" + text.substr(0, 40) + "\" is no list of ids like [1, 2]");
  const nlohmann::json wrapped = {{"ids", *json}};
  QUIRE_ASSIGN(const JsonObject holder, JsonObject::of(wrapped, "the list"));
  const auto ids = holder.integers("ids", 0, std::numeric_limits<TokenId>::max());
  if (!ids) return invalid_argument("\"" + text.substr(0, 40) + "\" is no list of ids like [1, 2]");
  return std::vector<TokenId>(ids->begin(), ids->end());
}

// Converts each line of stdin, or the whole input at once.
int convert_input(const TokenizeFlags& flags, const Convert& convert) {
  const auto tokenizer = load_tokenizer(package_folder(flags.package));
  if (!tokenizer) return report(tokenizer.error());
  if (!flags.lines) {
    const auto input = flags.input == "-" ? read_all(&std::cin, "standard input") : flags.input;
    if (!input) return report(input.error());
    const auto output = convert(**tokenizer, *input);
    if (!output) return report(output.error());
    write_out_text(*output + "\n");
    return kExitOk;
  }
  LineReader reader(&std::cin, "standard input");
  std::string line;
  for (int number = 1;; ++number) {
    const auto more = reader.next(&line);
    if (!more) return report(more.error());
    if (!*more) break;
    const auto output = convert(**tokenizer, line);
    if (!output) return report(output.error().with_context("line " + std::to_string(number)));
    write_out_text(*output + "\n");
    flush_out();  // whoever writes the lines may wait for their answers
  }
  return kExitOk;
}

int run_tokenize(const TokenizeFlags& flags) {
  return convert_input(flags, [&](const Tokenizer& tokenizer, const std::string& input) {
    std::string text = input;
    if (flags.lines) {
      const auto json = parse_json(input, "the line");
      if (!json || !json->is_string()) {
        return Result<std::string>(invalid_argument("a line must be a JSON string"));
      }
      text = json->get<std::string>();
    }
    const auto ids = encode(tokenizer, text, flags.special);
    return ids ? Result<std::string>(ids_json(*ids)) : Result<std::string>(ids.error());
  });
}

int run_detokenize(const TokenizeFlags& flags) {
  return convert_input(flags, [&](const Tokenizer& tokenizer, const std::string& input) {
    const auto ids = parse_ids(input);
    if (!ids) return Result<std::string>(ids.error());
    auto text = tokenizer.decode(*ids, flags.skip_special);
    if (!text || !flags.lines) return text;
    return Result<std::string>(nlohmann::json(*text).dump());
  });
}

}  // namespace

void add_tokenize_commands(CLI::App* app, Action* action) {
  auto flags = std::make_shared<TokenizeFlags>();  // shared with the actions that outlive this call
  CLI::App* tokenize = app->add_subcommand("tokenize", "Text to token ids");
  tokenize->footer(
      "Examples:\n"
      "  quire tokenize -m PKG \"Hello world\"\n"
      "  quire tokenize -m PKG --special \"<|im_start|>user\"\n"
      "  quire tokenize -m PKG --lines < json_strings.txt > json_arrays.txt");
  add_package_flag(tokenize, &flags->package);
  tokenize->add_option("text", flags->input, "The text; - or nothing: standard input");
  tokenize->add_flag("--special",
                     flags->special,
                     "Recognise special tokens and add those the model expects around a text");
  tokenize->add_flag("--lines", flags->lines, "Each line of stdin is a JSON string");
  tokenize->callback([flags, action] { *action = [flags] { return run_tokenize(*flags); }; });

  CLI::App* detokenize = app->add_subcommand("detokenize", "Token ids to text");
  detokenize->footer(
      "Examples:\n"
      "  quire detokenize -m PKG \"[19556, 905]\"\n"
      "  quire detokenize -m PKG --lines < json_arrays.txt > json_strings.txt");
  add_package_flag(detokenize, &flags->package);
  detokenize->add_option("ids", flags->input, "A list of ids; - or nothing: standard input");
  detokenize->add_flag("--skip-special", flags->skip_special, "Leave special tokens out");
  detokenize->add_flag("--lines", flags->lines, "Each line of stdin is a JSON array of ids");
  detokenize->callback([flags, action] { *action = [flags] { return run_detokenize(*flags); }; });
}

}  // namespace quire::cli
