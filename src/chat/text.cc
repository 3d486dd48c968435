#include "chat/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "chat/text_search.h"

namespace quire::chat {
namespace {

// The characters of a string, each of which can be asked for in little time.
class CharacterSet {
 public:
  explicit CharacterSet(std::string_view characters) {
    for (std::size_t at = 0; at < characters.size();) {
      const DecodedCodePoint decoded = decode_utf8(characters, at);
      code_points_.push_back(decoded.code_point);
      at += decoded.length;
    }
    std::sort(code_points_.begin(), code_points_.end());
  }
  [[nodiscard]] bool has(char32_t c) const {
    return std::binary_search(code_points_.begin(), code_points_.end(), c);
  }

 private:
  std::vector<char32_t> code_points_;
};

std::size_t previous_start(std::string_view text, std::size_t at) {
  --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return at;
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::vector<Text> split_at_spaces(const Text& text, std::int64_t most, bool strip_rest) {
  std::vector<Text> parts;
  const std::string_view bytes = text.bytes;
  std::size_t at = 0;
  const auto is_space_at = [&](std::size_t place) {
    return is_python_space(decode_utf8(bytes, place).code_point);
  };
  while (true) {
    while (at < bytes.size() && is_space_at(at)) at += decode_utf8(bytes, at).length;
    if (at == bytes.size()) return parts;
    if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) break;
    std::size_t end = at;
    while (end < bytes.size() && !is_space_at(end)) end += decode_utf8(bytes, end).length;
    parts.push_back(text.slice(at, end));
    at = end;
  }
  const Text rest = text.slice(at, bytes.size());
  parts.push_back(strip_rest ? strip(rest, Side::kRight, std::nullopt) : rest);
  return parts;
}

// Letters that are printed as one.
constexpr char32_t kFirstLigature = 0xFB00;
constexpr std::array<std::string_view, 7> kLigatures = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};

bool is_ligature(char32_t c) {
  return c >= kFirstLigature && c < kFirstLigature + kLigatures.size();
}

void append_cased(char32_t c, bool upper, std::string* out) {
  if (upper && c == 0xDF) {  // the one everyday letter whose capital form is two letters
    *out += "SS";
    return;
  }
  if (upper && is_ligature(c)) {
    for (const char letter : kLigatures[c - kFirstLigature]) {
      *out += static_cast<char>(letter - 'a' + 'A');
    }
    return;
  }
  const auto code_point = static_cast<utf8proc_int32_t>(c);
  const utf8proc_int32_t cased =
      upper ? utf8proc_toupper(code_point) : utf8proc_tolower(code_point);
  append_utf8(static_cast<char32_t>(cased), out);
}

utf8proc_category_t category_of(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

bool is_letter(char32_t c) {
  const utf8proc_category_t category = category_of(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

// Digits that are no decimal ones: superscripts, subscripts and numbers in circles and the like.
bool is_digit_sign(char32_t c) {
  return c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
         (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468) ||
         (c >= 0x2474 && c <= 0x247C) || (c >= 0x2488 && c <= 0x2490) || c == 0x24EA ||
         (c >= 0x24F5 && c <= 0x24FD) || c == 0x24FF || (c >= 0x2776 && c <= 0x277E) ||
         (c >= 0x2780 && c <= 0x2788) || (c >= 0x278A && c <= 0x2792);
}

bool is_of_class(char32_t c, std::string_view method) {
  const utf8proc_category_t category = category_of(c);
  const bool decimal = category == UTF8PROC_CATEGORY_ND;
  const bool numeric = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
  if (method == "isdecimal") return decimal;
  if (method == "isdigit") return decimal || is_digit_sign(c);
  if (method == "isnumeric") return numeric;
  if (method == "isalpha") return is_letter(c);
  if (method == "isalnum") return is_letter(c) || numeric;
  if (method == "isspace") return is_python_space(c);
  if (method == "isascii") return c < 0x80;
  if (method == "isprintable") return is_printable(c);
  const bool is_mark = category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC;
  return c == '_' || is_letter(c) || category == UTF8PROC_CATEGORY_NL || decimal || is_mark ||
         category == UTF8PROC_CATEGORY_PC;
}

bool is_upper(char32_t c) {
  const utf8proc_category_t category = category_of(c);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT;
}

bool is_lower(char32_t c) { return category_of(c) == UTF8PROC_CATEGORY_LL; }

// islower, isupper and istitle: what the cased characters of a text must be.
bool has_case(std::string_view text, std::string_view method) {
  bool after_cased = false;
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    at += decoded.length;
    const bool upper = is_upper(decoded.code_point);
    const bool lower = is_lower(decoded.code_point);
    if (method == "islower" ? upper : (method == "isupper" && lower)) return false;
    if (method == "istitle" && ((upper && after_cased) || (lower && !after_cased))) return false;
    after_cased = upper || lower;
    any |= after_cased;
  }
  return any;
}

bool is_cased(char32_t c) {
  const auto code_point = static_cast<utf8proc_int32_t>(c);
  const utf8proc_category_t category = utf8proc_category(code_point);
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

}  // namespace

Text::Text(std::string_view text, bool trusted)
    : bytes(text), marks(text.size(), trusted ? kTrusted : kUntrusted) {}

Text Text::slice(std::size_t begin, std::size_t end) const {
  Text out;
  out.bytes = bytes.substr(begin, end - begin);
  out.marks = marks.substr(begin, end - begin);
  return out;
}

bool Text::is_trusted() const { return marks.find(kUntrusted) == std::string::npos; }

void Text::append(const Text& other) {
  bytes += other.bytes;
  marks += other.marks;
}

void Text::append(std::string_view text, bool trusted) {
  bytes += text;
  marks.append(text.size(), trusted ? kTrusted : kUntrusted);
}

bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_of_class(std::string_view text, std::string_view method) {
  if (method == "islower" || method == "isupper" || method == "istitle") {
    return has_case(text, method);
  }
  if (text.empty()) return method == "isascii" || method == "isprintable";
  if (method == "isidentifier" && text[0] >= '0' && text[0] <= '9') return false;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    if (!is_of_class(decoded.code_point, method)) return false;
    at += decoded.length;
  }
  return true;
}

bool is_printable(char32_t code_point) {
  if (code_point == ' ') return true;
  switch (category_of(code_point)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

std::size_t count_words(std::string_view text) {
  std::size_t count = 0;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    const bool is_space = is_python_space(decoded.code_point);
    if (!is_space && !in_word) ++count;
    in_word = !is_space;
    at += decoded.length;
  }
  return count;
}

std::size_t count_lines(std::string_view text) {
  std::size_t count = 1;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    if (is_line_end(decoded.code_point)) ++count;
    at += decoded.length;
  }
  return count;
}

std::size_t count_runs_of_letters(std::string_view text) {
  std::size_t count = 0;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    const bool is_part = decoded.code_point == '_' || is_of_class(decoded.code_point, "isalnum");
    if (is_part && !in_word) ++count;
    in_word = is_part;
    at += decoded.length;
  }
  return count;
}

std::int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  });
}

std::vector<std::size_t> code_point_starts(std::string_view text) {
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at < text.size(); at += decode_utf8(text, at).length) {
    starts.push_back(at);
  }
  starts.push_back(text.size());
  return starts;
}

Text strip(const Text& text, Side side, std::optional<std::string_view> characters) {
  const std::string_view bytes = text.bytes;
  const CharacterSet set(characters.value_or(std::string_view()));
  const auto is_stripped = [&](std::size_t at) {
    const char32_t c = decode_utf8(bytes, at).code_point;
    return characters ? set.has(c) : is_python_space(c);
  };
  std::size_t begin = 0;
  std::size_t end = bytes.size();
  if (side != Side::kRight) {
    while (begin < end && is_stripped(begin)) begin += decode_utf8(bytes, begin).length;
  }
  if (side != Side::kLeft) {
    while (end > begin && is_stripped(previous_start(bytes, end))) end = previous_start(bytes, end);
  }
  return text.slice(begin, end);
}

namespace {

// What is put into a text that is not trusted all over is not trusted.
Text insert_everywhere(const Text& text, const Text& piece, std::int64_t most) {
  const bool trusted = text.is_trusted();
  Text out;
  std::int64_t done = 0;
  const auto insert = [&] {
    if (most >= 0 && done++ >= most) return;
    if (trusted) {
      out.append(piece);
    } else {
      out.append(piece.bytes, false);
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = decode_utf8(text.bytes, at).length;
    insert();
    out.append(text.slice(at, at + length));
    at += length;
  }
  insert();
  return out;
}

}  // namespace

Text replace(const Text& text, std::string_view from, const Text& to, std::int64_t most) {
  if (from.empty()) return insert_everywhere(text, to, most);
  const TextSearch search(from);
  Text out;
  std::size_t at = 0;
  for (std::int64_t done = 0; most < 0 || done < most; ++done) {
    const std::size_t found = search.find(text.bytes, at);
    if (found == std::string::npos) break;
    out.append(text.slice(at, found));
    const bool trusted = text.slice(found, found + from.size()).is_trusted();
    if (trusted) {
      out.append(to);
    } else {
      out.append(to.bytes, false);
    }
    at = found + from.size();
  }
  out.append(text.slice(at, text.size()));
  return out;
}

std::vector<Text> split(const Text& text,
                        std::optional<std::string_view> separator,
                        std::int64_t most) {
  if (!separator) return split_at_spaces(text, most, true);
  const TextSearch search(*separator);
  std::vector<Text> parts;
  std::size_t at = 0;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t found = search.find(text.bytes, at);
    if (found == std::string::npos) break;
    parts.push_back(text.slice(at, found));
    at = found + separator->size();
  }
  parts.push_back(text.slice(at, text.size()));
  return parts;
}

std::vector<Text> split_from_right(const Text& text,
                                   std::string_view separator,
                                   std::int64_t most) {
  const TextSearch search(separator);
  std::vector<Text> parts;
  std::size_t end = text.size();
  while (end >= separator.size() && (most < 0 || static_cast<std::int64_t>(parts.size()) < most)) {
    const std::size_t found = search.find_last(text.bytes, end);
    if (found == std::string_view::npos) break;
    parts.push_back(text.slice(found + separator.size(), end));
    end = found;
  }
  parts.push_back(text.slice(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_words(const Text& text, std::int64_t most) {
  return split_at_spaces(text, most, false);
}

std::vector<Text> split_words_from_right(const Text& text, std::int64_t most) {
  const std::string_view bytes = text.bytes;
  std::vector<Text> parts;
  const auto is_space_before = [&](std::size_t end) {
    return is_python_space(decode_utf8(bytes, previous_start(bytes, end)).code_point);
  };
  std::size_t end = bytes.size();
  while (true) {
    while (end > 0 && is_space_before(end)) end = previous_start(bytes, end);
    if (end == 0) break;
    if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) {
      parts.push_back(text.slice(0, end));
      break;
    }
    std::size_t begin = end;
    while (begin > 0 && !is_space_before(begin)) begin = previous_start(bytes, begin);
    parts.push_back(text.slice(begin, end));
    end = begin;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  std::vector<Text> lines;
  const std::string_view bytes = text.bytes;
  std::size_t begin = 0;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const DecodedCodePoint decoded = decode_utf8(bytes, at);
    const std::size_t line_end = at;
    at += decoded.length;
    if (!is_line_end(decoded.code_point)) continue;
    if (decoded.code_point == '\r' && at < bytes.size() && bytes[at] == '\n') ++at;
    lines.push_back(text.slice(begin, keep_ends ? at : line_end));
    begin = at;
  }
  if (begin < bytes.size()) lines.push_back(text.slice(begin, bytes.size()));
  return lines;
}

Text change_case(const Text& text, LetterCase wanted) {
  const bool is_by_place = wanted == LetterCase::kTitle || wanted == LetterCase::kCapitalized;
  Text out;
  bool after_letter = false;
  std::string cased;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text.bytes, at);
    const bool first = wanted == LetterCase::kCapitalized ? at == 0 : !after_letter;
    cased.clear();
    if (wanted == LetterCase::kFolded && decoded.code_point == 0xDF) {
      cased = "ss";
    } else if (wanted == LetterCase::kFolded && is_ligature(decoded.code_point)) {
      cased = kLigatures[decoded.code_point - kFirstLigature];
    } else if (wanted == LetterCase::kSwapped && !is_lower(decoded.code_point) &&
               category_of(decoded.code_point) != UTF8PROC_CATEGORY_LU) {
      // No letter of two cases, but a number such as a Roman one may have a small form.
      const bool is_number = category_of(decoded.code_point) == UTF8PROC_CATEGORY_NL;
      append_cased(decoded.code_point, false, &cased);
      if (!is_number) {
        cased.clear();
        append_utf8(decoded.code_point, &cased);
      }
    } else {
      const bool to_upper = wanted == LetterCase::kUpper ||
                            (wanted == LetterCase::kSwapped && is_lower(decoded.code_point)) ||
                            (is_by_place && first);
      append_cased(decoded.code_point, to_upper, &cased);
    }
    out.append(cased, text.marks[at] == Text::kTrusted);
    after_letter = is_cased(decoded.code_point);
    at += decoded.length;
  }
  return out;
}

}  // namespace quire::chat
