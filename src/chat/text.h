#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::chat {

// A string of a template in which every byte knows whether it is trusted: written in the template
// itself, and not taken from a message, a tool or a value of the caller's. `marks` runs parallel to
// `bytes`, which makes every operation on strings carry trust along by doing to the marks what it
// does to the bytes. The bytes are well-formed UTF-8.
struct Text {
  std::string bytes;
  std::string marks;  // kTrusted or kUntrusted for each byte

  static constexpr char kTrusted = '+';
  static constexpr char kUntrusted = '-';

  Text() = default;
  Text(std::string_view text, bool trusted);

  [[nodiscard]] std::size_t size() const { return bytes.size(); }
  [[nodiscard]] bool empty() const { return bytes.empty(); }
  [[nodiscard]] Text slice(std::size_t begin, std::size_t end) const;
  [[nodiscard]] bool is_trusted() const;  // all of it
  void append(const Text& other);
  void append(std::string_view text, bool trusted);
};

// The operations below are those of Python's str: characters are code points.

bool is_python_space(char32_t code_point);
std::int64_t count_code_points(std::string_view text);
// Where each code point begins, and the end of the text as the last entry.
std::vector<std::size_t> code_point_starts(std::string_view text);

enum class Side { kBoth, kLeft, kRight };
// Without `characters`, whitespace is removed.
Text strip(const Text& text, Side side, std::optional<std::string_view> characters);

// Replaces up to `most` (-1: all) occurrences of `from`; an empty one is before every character and
// at the end. What is put in is trusted only where both it and what it replaces are.
Text replace(const Text& text, std::string_view from, const Text& to, std::int64_t most);

// str.split: without a separator, at runs of whitespace, with none at the ends of any part.
std::vector<Text> split(const Text& text,
                        std::optional<std::string_view> separator,
                        std::int64_t most);
std::vector<Text> split_from_right(const Text& text, std::string_view separator, std::int64_t most);
// str.split without a separator: at runs of whitespace, at most `most` of them, those on the left
// or those on the right. What is left over keeps the whitespace at its other end.
std::vector<Text> split_words(const Text& text, std::int64_t most);
std::vector<Text> split_words_from_right(const Text& text, std::int64_t most);
std::size_t count_words(std::string_view text);
// Line ends and one more.
std::size_t count_lines(std::string_view text);
// Runs of letters, digits and underscores.
std::size_t count_runs_of_letters(std::string_view text);
std::vector<Text> split_lines(const Text& text, bool keep_ends = false);

// str.isalpha and the like by their names.
bool is_of_class(std::string_view text, std::string_view method);
// What repr() shows as it is: everything but control, format and unassigned characters and spaces
// other than U+0020.
bool is_printable(char32_t code_point);

enum class LetterCase { kUpper, kLower, kTitle, kCapitalized, kSwapped, kFolded };
Text change_case(const Text& text, LetterCase wanted);

}  // namespace quire::chat
