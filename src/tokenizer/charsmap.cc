#include "tokenizer/charsmap.h"

#include <utf8proc.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

// Longer graphemes are replaced character by character.
constexpr std::size_t kLongestShortGrapheme = 5;

std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + i - 1]);
  }
  return value;
}

// A unit of the double array: whether a text ends here, its last byte, and from where its
// continuations are counted. In a unit that stands for an end: where its replacement is.
bool has_end(std::uint32_t unit) { return (unit >> 8U & 1U) != 0; }
std::uint32_t label_of(std::uint32_t unit) { return unit & (1U << 31U | 0xFFU); }
std::uint32_t value_of(std::uint32_t unit) { return unit & ((1U << 31U) - 1); }
std::uint32_t offset_of(std::uint32_t unit) { return unit >> 10U << ((unit & 1U << 9U) >> 6U); }

// utf8proc breaks before marks that are newer than its data.
bool extends(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_CN &&
         (char_classes(c) & kClassMark) != 0;
}

std::size_t end_of_grapheme(std::string_view text, std::size_t begin, std::size_t end) {
  DecodedCodePoint last = decode_utf8(text, begin);
  std::size_t at = begin + last.length;
  utf8proc_int32_t state = 0;
  while (at < end) {
    const DecodedCodePoint next = decode_utf8(text, at);
    const bool is_break =
        utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last.code_point),
                                         static_cast<utf8proc_int32_t>(next.code_point),
                                         &state);
    if (is_break && !extends(next.code_point)) break;
    last = next;
    at += next.length;
  }
  return at;
}

}  // namespace

Result<Charsmap> Charsmap::parse(std::string_view bytes) {
  const std::size_t size = bytes.size() < 4 ? 0 : read_u32(bytes, 0);
  if (size == 0 || size % 4 != 0 || size > bytes.size() - 4) {
    return bad_model("the precompiled_charsmap is cut short or no such map");
  }
  Charsmap map;
  map.units_.reserve(size / 4);
  for (std::size_t at = 4; at < size + 4; at += 4) map.units_.push_back(read_u32(bytes, at));
  map.replacements_ = bytes.substr(size + 4);
  if (find_invalid_utf8(map.replacements_) != std::string_view::npos) {
    return bad_model("the replacements of the precompiled_charsmap are not UTF-8");
  }
  return map;
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const {
  std::uint32_t at = offset_of(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    at ^= byte;
    if (byte == 0 || at >= units_.size() || label_of(units_[at]) != byte) return std::nullopt;
    const std::uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_end(unit)) continue;
    const std::size_t begin = at < units_.size() ? value_of(units_[at]) : replacements_.size();
    if (begin >= replacements_.size()) return std::nullopt;
    const bool is_inside = (static_cast<unsigned char>(replacements_[begin]) & 0xC0U) == 0x80;
    if (is_inside) return std::nullopt;  // of a character
    const std::string_view rest = std::string_view(replacements_).substr(begin);
    return rest.substr(0, rest.find('\0'));
  }
  return std::nullopt;
}

Status Charsmap::append_replaced(std::string_view grapheme,
                                 bool is_trusted,
                                 TextWork* work,
                                 TrustedText* out) const {
  if (grapheme.size() <= kLongestShortGrapheme) {
    if (const auto found = find(grapheme)) {
      QUIRE_TRY(work->take_normalized(found->size()));
      out->append(*found, is_trusted);
      return ok_status();
    }
  }
  for (std::size_t at = 0; at < grapheme.size();) {
    const std::string_view character = grapheme.substr(at, decode_utf8(grapheme, at).length);
    const std::string_view made = find(character).value_or(character);
    QUIRE_TRY(work->take_normalized(made.size()));
    out->append(made, is_trusted);
    at += character.size();
  }
  return ok_status();
}

Result<TrustedText> Charsmap::normalize(const TrustedText& text, TextWork* work) const {
  const std::string_view all = text.text;
  TrustedText out;
  const auto append_stretch = [&](std::size_t begin, std::size_t end, bool is_trusted) -> Status {
    while (begin < end) {
      const std::size_t stop = end_of_grapheme(all, begin, end);
      QUIRE_TRY(append_replaced(all.substr(begin, stop - begin), is_trusted, work, &out));
      begin = stop;
    }
    return ok_status();
  };
  std::size_t done = 0;
  for (const ByteRange& range : text.trusted) {
    QUIRE_TRY(append_stretch(done, range.begin, false));
    QUIRE_TRY(append_stretch(range.begin, range.end, true));
    done = range.end;
  }
  QUIRE_TRY(append_stretch(done, all.size(), false));
  return out;
}

}  // namespace quire
