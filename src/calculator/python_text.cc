#include "calculator/python_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_cased(char c) { return is_lower(c) || is_upper(c); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
char to_upper(char c) { return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c; }

// Words in which the first letter alone is a capital.
bool is_title(std::string_view text) {
  bool inside = false;
  bool any = false;
  for (const char c : text) {
    if (is_cased(c) && is_upper(c) == inside) return false;
    inside = is_cased(c);
    any |= inside;
  }
  return any;
}

template <typename Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return !text.empty() && std::ranges::all_of(text, predicate);
}

// At least one letter, and none of the other case.
bool has_case(std::string_view text, bool (*wanted)(char), bool (*other)(char)) {
  return std::ranges::any_of(text, wanted) && std::ranges::none_of(text, other);
}

}  // namespace

std::int64_t count_text(std::string_view text, std::string_view part) {
  if (part.empty()) return static_cast<std::int64_t>(text.size()) + 1;
  std::int64_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

std::vector<std::string> split_text(std::string_view text,
                                    const std::optional<std::string>& separator) {
  std::vector<std::string> pieces;
  const std::string_view mark = separator ? std::string_view(*separator) : " ";
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(mark, begin), text.size());
    if (separator || end > begin) pieces.emplace_back(text.substr(begin, end - begin));
    begin = end + mark.size();
  }
  return pieces;
}

std::string strip_text(std::string_view text,
                       std::string_view method,
                       std::string_view characters) {
  if (method != "rstrip") {
    text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
  }
  if (method != "lstrip") {
    const std::size_t last = text.find_last_not_of(characters);
    text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  }
  return std::string(text);
}

std::optional<bool> ask_text(std::string_view text, std::string_view method, bool is_bytes) {
  const auto is_alnum = [](char c) { return is_cased(c) || is_digit(c); };
  if (method == "isascii") return true;
  if (method == "isalnum") return all_of(text, is_alnum);
  if (method == "isalpha") return all_of(text, is_cased);
  if (method == "isdigit") return all_of(text, is_digit);
  if (method == "isspace") return all_of(text, [](char c) { return c == ' '; });
  if (method == "islower") return has_case(text, is_lower, is_upper);
  if (method == "isupper") return has_case(text, is_upper, is_lower);
  if (method == "istitle") return is_title(text);
  if (is_bytes) return std::nullopt;
  if (method == "isdecimal" || method == "isnumeric") return all_of(text, is_digit);
  if (method == "isprintable") return true;
  if (method == "isidentifier") {
    return !text.empty() && !is_digit(text.front()) &&
           all_of(text, [&](char c) { return is_alnum(c) || c == '_'; });
  }
  return std::nullopt;
}

std::optional<std::string> change_case(std::string_view text,
                                       std::string_view method,
                                       bool is_bytes) {
  std::string changed(text);
  if (method == "lower" || (method == "casefold" && !is_bytes)) {
    std::ranges::transform(changed, changed.begin(), to_lower);
  } else if (method == "upper") {
    std::ranges::transform(changed, changed.begin(), to_upper);
  } else if (method == "swapcase") {
    const auto swap = [](char c) { return is_lower(c) ? to_upper(c) : to_lower(c); };
    std::ranges::transform(changed, changed.begin(), swap);
  } else if (method == "capitalize" || method == "title") {
    bool inside = false;
    for (char& c : changed) {
      c = inside ? to_lower(c) : to_upper(c);
      inside = method == "capitalize" || is_cased(c);
    }
  } else {
    return std::nullopt;
  }
  return changed;
}

}  // namespace quire
