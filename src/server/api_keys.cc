#include "server/api_keys.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"

namespace quire::server {
namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;

// Looks at all of the given text whatever the key is.
bool equal(std::string_view given, std::string_view key) {
  unsigned difference = given.size() == key.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char expected = key.empty() ? '\0' : key[i % key.size()];
    difference |= static_cast<unsigned>(given[i] ^ expected);
  }
  return difference == 0;
}

std::string_view given_key(const HttpRequest& request) {
  const std::string_view bearer = request.header("authorization");
  constexpr std::string_view kScheme = "bearer ";
  if (bearer.empty()) return request.header("x-api-key");
  std::string scheme(bearer.substr(0, kScheme.size()));
  std::ranges::transform(
      scheme, scheme.begin(), [](char c) { return 'A' <= c && c <= 'Z' ? c + ('a' - 'A') : c; });
  if (scheme != kScheme) return {};
  return bearer.substr(kScheme.size());
}

}  // namespace

Result<ApiKeys> ApiKeys::read(const std::filesystem::path& path) {
  QUIRE_ASSIGN(const std::string text, read_file(path, kMaxFileBytes));
  std::vector<std::string> keys;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t last = line.find_last_not_of(" \t\r");
    line.erase(last == std::string::npos ? 0 : last + 1);
    if (!line.empty() && line.front() != '#') keys.push_back(std::move(line));
  }
  if (keys.empty()) return invalid_argument(path.string() + " has no key; write one a line");
  return ApiKeys(std::move(keys));
}

bool ApiKeys::allow(const HttpRequest& request) const {
  if (keys_.empty()) return true;
  const std::string_view given = given_key(request);
  bool allowed = false;
  for (const std::string& key : keys_) allowed |= equal(given, key);
  return allowed && !given.empty();
}

std::string ApiKeys::owner(const HttpRequest& request) const {
  return keys_.empty() ? std::string() : std::string(given_key(request));
}

}  // namespace quire::server
