#include "cli/prompt_source.h"

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <istream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "wire/prompt_json.h"

namespace quire::cli {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20U;

Result<std::vector<TokenId>> parse_ids(std::string_view text) {
  std::vector<TokenId> ids;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view word = text.substr(0, comma);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    TokenId id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      return invalid_argument("\"" + std::string(word.substr(0, 40)) +
                              "\" is no token id; --token-ids takes ids like 1,42,7");
    }
    ids.push_back(id);
    if (comma == text.size()) return ids;
    text.remove_prefix(comma + 1);
  }
}

Result<std::vector<std::string>> read_lines(std::istream& stream, const std::string& name) {
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(stream, line)) {
    if (line.size() > kMaxLineBytes) return bad_model(name + " has a line of more than 64 MiB");
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (lines.empty() && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    lines.push_back(std::move(line));
  }
  if (stream.bad()) return bad_model("cannot read " + name);
  return lines;
}

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t") == std::string::npos;
}

}  // namespace

SourcedPrompt prompt_from_text(const std::string& text,
                               const PromptFormat& format,
                               const SamplingParams& params) {
  GenerateRequest request{.prompt = text, .params = params};
  if (format.token_ids) {
    QUIRE_ASSIGN(auto ids, parse_ids(text));
    request.prompt = std::move(ids);
  } else if (format.chat) {
    request.prompt = std::vector<ChatMessage>{{.role = "user", .content = text, .extra_json = {}}};
  }
  return request;
}

Result<std::vector<SourcedPrompt>> prompts_from_file(const std::string& path,
                                                     const PromptFormat& format,
                                                     const SamplingParams& params) {
  std::vector<std::string> lines;
  if (path == "-") {
    QUIRE_ASSIGN(lines, read_lines(std::cin, "standard input"));
  } else {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return bad_model(path + " is a folder");
    std::ifstream file(path);
    if (!file)
      return bad_model("cannot read " + path + ": there is no such file, or no permission");
    QUIRE_ASSIGN(lines, read_lines(file, path));
  }
  const bool json =
      path.ends_with(".jsonl") || (path == "-" && !lines.empty() && lines.front().starts_with("{"));
  std::vector<SourcedPrompt> prompts;
  for (const std::string& line : lines) {
    if (is_blank(line)) continue;
    prompts.push_back(json ? wire::prompt_from_json(line, format.chat, params)
                           : prompt_from_text(line, format, params));
  }
  return prompts;
}

}  // namespace quire::cli
