#include "cli/prompt_source.h"

#include <algorithm>
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

#include "cli/line_reader.h"
#include "wire/prompt_json.h"

namespace quire::cli {
namespace {

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

Result<std::vector<std::string>> read_lines(std::istream* stream, const std::string& name) {
  std::vector<std::string> lines;
  LineReader reader(stream, name);
  std::string line;
  while (true) {
    QUIRE_ASSIGN(const bool more, reader.next(&line));
    if (!more) return lines;
    if (line.find_first_not_of(" \t") != std::string::npos) lines.push_back(std::move(line));
  }
}

// What a prompt in words hardly begins with: a brace, and a key or the end.
bool begins_as_object(std::string_view line) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t brace = line.find_first_not_of(kBlank);
  if (brace == std::string_view::npos || line[brace] != '{') return false;
  const std::size_t next = line.find_first_not_of(kBlank, brace + 1);
  return next == std::string_view::npos || line[next] == '"' || line[next] == '}';
}

// One array over however many lines, as json.dump writes a list of requests.
bool begin_as_array(const std::vector<std::string>& lines) {
  constexpr std::string_view kBlank = " \t";
  if (lines.empty()) return false;
  const std::string_view first = lines.front();
  const std::size_t bracket = first.find_first_not_of(kBlank);
  if (bracket == std::string_view::npos || first[bracket] != '[') return false;
  const std::string_view rest = first.substr(bracket + 1);
  if (rest.find_first_not_of(kBlank) != std::string_view::npos) return begins_as_object(rest);
  return lines.size() > 1 && begins_as_object(lines[1]);
}

bool are_json(const std::string& path, const std::vector<std::string>& lines) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return extension == ".jsonl" || extension == ".ndjson" ||
         (!lines.empty() && begins_as_object(lines.front()));
}

}  // namespace

wire::PromptLine prompt_from_text(const std::string& text,
                                  const PromptFormat& format,
                                  const SamplingParams& params) {
  GenerateRequest request{.prompt = text, .params = params};
  if (format.token_ids) {
    auto ids = parse_ids(text);
    if (!ids) return {.request = ids.error()};
    request.prompt = *std::move(ids);
  } else if (format.chat) {
    request.prompt = std::vector<ChatMessage>{{.role = "user", .content = text}};
  }
  return {.request = std::move(request)};
}

Result<std::vector<wire::PromptLine>> prompts_from_file(const std::string& path,
                                                        const PromptFormat& format,
                                                        const SamplingParams& params) {
  std::vector<std::string> lines;
  if (path == "-") {
    QUIRE_ASSIGN(lines, read_lines(&std::cin, "standard input"));
  } else {
    std::error_code error;
    if (std::filesystem::is_directory(path, error))
      return bad_model(path + " is a folder; give a file of prompts");
    std::ifstream file(path);
    if (!file)
      return bad_model("cannot read " + path +
                       ": there is no such file, or no permission; check the name");
    QUIRE_ASSIGN(lines, read_lines(&file, path));
  }
  if (begin_as_array(lines)) {
    return invalid_argument((path == "-" ? "standard input" : path) +
                            " is one JSON array; give one object a line, without brackets and "
                            "commas around them (jq -c '.[]' makes it so)");
  }
  const bool json = are_json(path, lines);
  std::vector<wire::PromptLine> prompts;
  for (const std::string& line : lines) {
    prompts.push_back(json ? wire::parse_prompt_line(line, format.chat, params)
                           : prompt_from_text(line, format, params));
  }
  return prompts;
}

}  // namespace quire::cli
