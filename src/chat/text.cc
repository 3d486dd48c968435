#include "chat/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"

namespace quire::chat {
namespace {

bool contains_code_point(std::string_view characters, std::string_view code_point) {
  return characters.find(code_point) != std::string_view::npos;
}

std::size_t previous_start(std::string_view text, std::size_t at) {
  --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return at;
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::vector<Text> split_at_spaces(const Text& text, std::int64_t most) {
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
  parts.push_back(strip(text.slice(at, bytes.size()), Side::kRight, std::nullopt));
  return parts;
}

void append_cased(char32_t c, bool upper, std::string* out) {
  if (upper && c == 0xDF) {  // the one everyday letter whose capital form is two letters
    *out += "SS";
    return;
  }
  const auto code_point = static_cast<utf8proc_int32_t>(c);
  const utf8proc_int32_t cased =
      upper ? utf8proc_toupper(code_point) : utf8proc_tolower(code_point);
  append_utf8(static_cast<char32_t>(cased), out);
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
  const auto is_stripped = [&](std::size_t at) {
    const DecodedCodePoint decoded = decode_utf8(bytes, at);
    if (!characters) return is_python_space(decoded.code_point);
    return contains_code_point(*characters, bytes.substr(at, decoded.length));
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

Text replace(const Text& text, std::string_view from, const Text& to, std::int64_t most) {
  Text out;
  std::size_t at = 0;
  for (std::int64_t done = 0; most < 0 || done < most; ++done) {
    const std::size_t found = text.bytes.find(from, at);
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
  if (!separator) return split_at_spaces(text, most);
  std::vector<Text> parts;
  std::size_t at = 0;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t found = text.bytes.find(*separator, at);
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
  std::vector<Text> parts;
  std::size_t end = text.size();
  while (end >= separator.size() && (most < 0 || static_cast<std::int64_t>(parts.size()) < most)) {
    const std::size_t found = std::string_view(text.bytes).substr(0, end).rfind(separator);
    if (found == std::string_view::npos) break;
    parts.push_back(text.slice(found + separator.size(), end));
    end = found;
  }
  parts.push_back(text.slice(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_lines(const Text& text) {
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
    lines.push_back(text.slice(begin, line_end));
    begin = at;
  }
  if (begin < bytes.size()) lines.push_back(text.slice(begin, bytes.size()));
  return lines;
}

Text change_case(const Text& text, LetterCase wanted) {
  Text out;
  bool after_letter = false;
  std::string cased;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text.bytes, at);
    const bool first = wanted == LetterCase::kCapitalized ? at == 0 : !after_letter;
    cased.clear();
    append_cased(decoded.code_point,
                 wanted == LetterCase::kUpper || (wanted != LetterCase::kLower && first),
                 &cased);
    out.append(cased, text.marks[at] == Text::kTrusted);
    after_letter = is_cased(decoded.code_point);
    at += decoded.length;
  }
  return out;
}

}  // namespace quire::chat
