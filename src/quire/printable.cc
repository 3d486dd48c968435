#include "quire/printable.h"

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace quire {
namespace {

struct Character {
  char32_t code_point = 0;
  std::size_t length = 0;  // 0: no well-formed UTF-8 begins here
};

// base/utf8.h is above this folder.
Character character_at(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  char32_t code_point = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    code_point = code_point << 6U | (byte(i) & 0x3FU);
  }
  constexpr char32_t kLeast[] = {0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (lead < 0xC2 || lead > 0xF4 || code_point < kLeast[length - 2] || surrogate ||
      code_point > 0x10FFFF) {
    return {};
  }
  return {code_point, length};
}

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c <= 0x9F); }

bool changes_layout(char32_t c) {
  return c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void append_escape(char32_t c, bool byte, std::string* out) {
  if (c == '\n' || c == '\t' || c == '\r') {
    *out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r";
    return;
  }
  char escape[16];
  std::snprintf(
      escape, sizeof escape, byte || c < 0x80 ? "\\x%02x" : "\\u%04x", static_cast<unsigned>(c));
  *out += escape;
}

std::string escaped(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = character_at(text);
    const bool steers =
        keep_lines ? is_control(c.code_point) && c.code_point != '\n' && c.code_point != '\t'
                   : is_control(c.code_point) || changes_layout(c.code_point);
    if (c.length == 0) {
      append_escape(static_cast<unsigned char>(text.front()), /*byte=*/true, &out);
    } else if (steers) {
      append_escape(c.code_point, /*byte=*/false, &out);
    } else {
      out += text.substr(0, c.length);
    }
    text.remove_prefix(c.length == 0 ? 1 : c.length);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return escaped(text, /*keep_lines=*/false); }

std::string printable_lines(std::string_view text) { return escaped(text, /*keep_lines=*/true); }

}  // namespace quire
