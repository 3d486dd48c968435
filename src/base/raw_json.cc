#include "base/raw_json.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {
namespace {

// Walks over JSON that is known to be well-formed; never past its end all the same.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  // The next character that is no blank; 0 at the end.
  char peek() {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  std::string_view value() {
    peek();
    const std::size_t begin = at_;
    int depth = 0;
    do {
      const char c = peek();
      if (c == '\0') break;
      if (c == '"') {
        skip_string();
      } else if (c == '{' || c == '[' || c == '}' || c == ']') {
        depth += c == '{' || c == '[' ? 1 : -1;
        ++at_;
      } else if (c == ',' || c == ':') {
        ++at_;
      } else {
        at_ = std::min(text_.find_first_of(",:]} \t\r\n", at_), text_.size());
      }
    } while (depth > 0);
    return text_.substr(begin, at_ - begin);
  }

 private:
  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::pair<std::string, std::string_view>> raw_fields(std::string_view object) {
  std::vector<std::pair<std::string, std::string_view>> fields;
  Walker walker(object);
  if (!walker.take('{')) return fields;
  while (walker.peek() == '"') {
    const auto key = nlohmann::json::parse(walker.value(), nullptr, /*allow_exceptions=*/false);
    if (!key.is_string() || !walker.take(':')) break;
    fields.emplace_back(key.get<std::string>(), walker.value());
    if (!walker.take(',')) break;
  }
  return fields;
}

std::vector<std::string_view> raw_items(std::string_view array) {
  std::vector<std::string_view> items;
  Walker walker(array);
  if (!walker.take('[')) return items;
  while (walker.peek() != ']' && walker.peek() != '\0') {
    items.push_back(walker.value());
    if (!walker.take(',')) break;
  }
  return items;
}

std::string_view raw_field(std::string_view object, std::string_view key) {
  for (const auto& [name, value] : raw_fields(object)) {
    if (name == key) return value;
  }
  return {};
}

std::string raw_with(std::string_view text,
                     const std::vector<std::pair<std::string_view, std::string>>& replaced) {
  std::string whole;
  std::size_t at = 0;
  for (const auto& [part, value] : replaced) {
    const auto begin = static_cast<std::size_t>(part.data() - text.data());
    whole += text.substr(at, begin - at);
    whole += value;
    at = begin + part.size();
  }
  return whole += text.substr(at);
}

std::string raw_object_without(std::string_view object, const std::vector<std::string>& names) {
  std::string kept;
  for (const auto& [name, value] : raw_fields(object)) {
    if (std::ranges::find(names, name) != names.end()) continue;
    kept += (kept.empty() ? "{" : ",") + nlohmann::json(name).dump() + ":" + std::string(value);
  }
  return kept.empty() ? "{}" : kept + "}";
}

}  // namespace quire
