#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire {

// What Python's methods of a text do, for ASCII texts.

// Occurrences that do not overlap; an empty part is found between all characters.
std::int64_t count_text(std::string_view text, std::string_view part);

// Pieces between separators; without one, the words between spaces.
std::vector<std::string> split_text(std::string_view text,
                                    const std::optional<std::string>& separator);

// strip, lstrip or rstrip of any of `characters`.
std::string strip_text(std::string_view text, std::string_view method, std::string_view characters);

// isalpha and its like; nothing for a name that is none of them. Some are of texts only, not bytes.
std::optional<bool> ask_text(std::string_view text, std::string_view method, bool is_bytes);

// lower, upper, title, capitalize, swapcase, casefold; nothing for another name.
std::optional<std::string> change_case(std::string_view text,
                                       std::string_view method,
                                       bool is_bytes);

}  // namespace quire
