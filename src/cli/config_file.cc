#include "cli/config_file.h"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace quire::cli {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{64} << 10U;
constexpr const char* kBlank = " \t\r";

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

bool is_name(const std::string& text) {
  constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyz-";
  return !text.empty() && text.find_first_not_of(kLetters) == std::string::npos;
}

}  // namespace

Result<std::vector<ConfigEntry>> read_config_file(const std::filesystem::path& path) {
  QUIRE_ASSIGN(const std::string text, read_file(path, kMaxConfigBytes));
  std::vector<ConfigEntry> entries;
  std::istringstream stream(text);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    // A comment begins a line, or follows a space, as --show-config prints them.
    line = trimmed(std::string_view(line).substr(0, line.find(" #")));
    if (line.empty() || line.front() == '#') continue;
    const std::string place = path.string() + ", line " + std::to_string(number) + ": ";
    const std::size_t equals = std::min(line.find('='), line.size());
    ConfigEntry entry{.name = trimmed(std::string_view(line).substr(0, equals)), .value = {}};
    if (equals < line.size()) entry.value = trimmed(std::string_view(line).substr(equals + 1));
    if (entry.value.size() >= 2 && entry.value.front() == '"' && entry.value.back() == '"') {
      entry.value = entry.value.substr(1, entry.value.size() - 2);
    }
    if (!is_name(entry.name) || entry.value.empty()) {
      return bad_model(place + "a line must be like max-num-seqs = 4");
    }
    const auto same = [&entry](const ConfigEntry& other) { return other.name == entry.name; };
    if (std::ranges::any_of(entries, same)) return bad_model(place + entry.name + " is set again");
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace quire::cli
