#include "tokenizer/unicode_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// The reference's NFC has the data of an older Unicode than utf8proc. The newer characters that
// would combine in one and not in the other are opaque here: nothing combines with or across them.
bool is_opaque(char32_t c) {
  const bool is_newer_letter = c == 0x11938 || c == 0x11930;  // the whole and its second part
  if (is_newer_letter) return true;
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  return property->combining_class != 0 && (char_classes(c) & kClassOrderedMark) == 0;
}

// Characters whose compatibility decomposition is newer than the reference's data.
bool is_newer_compatible(char32_t c) {
  return c == 0x32FF || (c >= 0xA7F1 && c <= 0xA7F4) || c == 0xAB69 ||
         (c >= 0x10781 && c <= 0x107BA) || (c >= 0x1E030 && c <= 0x1E06D) || c == 0x1F16C ||
         (c >= 0x1FBF0 && c <= 0x1FBF9);
}

int combining_class(utf8proc_int32_t code_point) {
  if (is_opaque(static_cast<char32_t>(code_point))) return 0;
  return utf8proc_get_property(code_point)->combining_class;
}

// A mark in a run of marks, in the order that normalization puts them in.
struct Mark {
  int combining_class = 0;
  std::size_t place = 0;
  utf8proc_int32_t code_point = 0;

  bool operator<(const Mark& other) const {
    return std::pair(combining_class, place) < std::pair(other.combining_class, other.place);
  }
};

// utf8proc's own decomposition sorts marks by insertion, which takes quadratic time on a hostile
// run of them; so the sort is ours and only the composition is left to it.
void sort_marks(std::vector<utf8proc_int32_t>* code_points) {
  std::vector<Mark> marks;
  const auto write_back = [&](std::size_t end) {
    std::sort(marks.begin(), marks.end());
    for (std::size_t i = 0; i < marks.size(); ++i) {
      (*code_points)[end - marks.size() + i] = marks[i].code_point;
    }
    marks.clear();
  };
  for (std::size_t i = 0; i < code_points->size(); ++i) {
    const utf8proc_int32_t c = (*code_points)[i];
    const int order = combining_class(c);
    if (order == 0) {
      write_back(i);
    } else {
      marks.push_back({order, i, c});
    }
  }
  write_back(code_points->size());
}

void append_decomposed(char32_t c, bool compatible, std::vector<utf8proc_int32_t>* out) {
  if (is_opaque(c) || (compatible && is_newer_compatible(c))) {
    out->push_back(static_cast<utf8proc_int32_t>(c));
    return;
  }
  std::array<utf8proc_int32_t, 32> parts = {};
  int boundary = 0;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(), options, &boundary);
  QUIRE_CHECK(count >= 0 && static_cast<std::size_t>(count) <= parts.size(),
              "a decomposition is short");
  out->insert(out->end(), parts.begin(), parts.begin() + count);
}

// Composes sorted code points and appends them as UTF-8.
void append_composed(std::span<utf8proc_int32_t> code_points, std::string* out) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  const utf8proc_ssize_t length = utf8proc_normalize_utf32(
      code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()), kOptions);
  QUIRE_CHECK(length >= 0, "composition of valid code points succeeds");
  for (const utf8proc_int32_t c : code_points.first(static_cast<std::size_t>(length))) {
    append_utf8(static_cast<char32_t>(c), out);
  }
}

void append_plain(std::span<const utf8proc_int32_t> code_points, std::string* out) {
  for (const utf8proc_int32_t c : code_points) append_utf8(static_cast<char32_t>(c), out);
}

std::string normalize_piece(std::string_view text, UnicodeForm form) {
  const bool compatible = form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
  const bool composes = form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
  std::vector<utf8proc_int32_t> code_points;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    append_decomposed(decoded.code_point, compatible, &code_points);
    at += decoded.length;
  }
  sort_marks(&code_points);
  std::string out;
  const std::span<utf8proc_int32_t> all = code_points;
  if (!composes) {
    append_plain(all, &out);
    return out;
  }
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= all.size(); ++i) {
    if (i < all.size() && !is_opaque(static_cast<char32_t>(all[i]))) continue;
    append_composed(all.subspan(begin, i - begin), &out);
    begin = i;
  }
  return out;
}

// Whether `first`, the beginning of what stands after `before` (both in decomposed form), combines
// with it or is put in order with its marks.
bool joins(const std::vector<utf8proc_int32_t>& before, utf8proc_int32_t first, bool composes) {
  if (combining_class(first) != 0) return true;
  constexpr utf8proc_int32_t kFirstThatCombines = 0x9BE;  // of those that are no marks
  if (!composes || first < kFirstThatCombines || is_opaque(static_cast<char32_t>(first))) {
    return false;
  }
  std::vector<utf8proc_int32_t> both = before;
  sort_marks(&both);
  std::vector<utf8proc_int32_t> one = both;  // composing works in place
  std::string alone;
  append_composed(one, &alone);
  append_plain(std::span(&first, 1), &alone);
  both.push_back(first);
  std::string together;
  append_composed(both, &together);
  return alone != together;
}

// Where the characters end that begin at text[at] and that no character behind them changes.
std::size_t end_of_group(std::string_view text, std::size_t at, UnicodeForm form) {
  const bool compatible = form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
  const bool composes = form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
  std::vector<utf8proc_int32_t> group;
  while (at < text.size()) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    std::vector<utf8proc_int32_t> parts;
    append_decomposed(decoded.code_point, compatible, &parts);
    // Marks are put in order whatever comes before them, so only what is no mark asks for work.
    if (!group.empty() && !joins(group, parts.front(), composes)) break;
    group.insert(group.end(), parts.begin(), parts.end());
    at += decoded.length;
  }
  return at;
}

// Appends the normal form of text[begin, end), which nothing outside of it changes. A character
// that stays as it is keeps its own trust; one that is made of others is trusted if all of them
// were.
void append_normalized(const TrustedText& source,
                       std::size_t begin,
                       std::size_t end,
                       UnicodeForm form,
                       TrustedText* out) {
  const std::string_view text = source.text;
  const std::string whole = normalize_piece(text.substr(begin, end - begin), form);
  if (whole == text.substr(begin, end - begin)) {
    out->append_part(source, begin, end);
    return;
  }
  const bool is_trusted = source.is_trusted(begin, end);
  if (is_trusted || source.is_untrusted(begin, end)) {
    out->append(whole, is_trusted);
    return;
  }
  while (begin < end) {
    const std::size_t group_end = end_of_group(text.substr(0, end), begin, form);
    const std::string_view group = text.substr(begin, group_end - begin);
    const std::string normal = normalize_piece(group, form);
    if (normal == group) {
      out->append_part(source, begin, group_end);
    } else {
      out->append(normal, source.is_trusted(begin, group_end));
    }
    begin = group_end;
  }
}

// Whether what follows text[end - 1] must not combine with it: a sign of the template's own, with
// which markers end, and a mark of somebody else's.
bool is_marker_end(const TrustedText& source, std::size_t end) {
  constexpr std::string_view kCombining = "<=>";  // with U+0338
  return kCombining.find(source.text[end - 1]) != std::string_view::npos &&
         source.is_trusted(end - 1, end) && !source.is_trusted(end, end + 1);
}

}  // namespace

TrustedText normalize_unicode(const TrustedText& source, UnicodeForm form) {
  const std::string_view text = source.text;
  if (std::all_of(text.begin(), text.end(), is_ascii)) return source;
  // Neither does ASCII change by itself nor does a mark reach back past an ASCII character, so the
  // text falls into stretches of ASCII, copied, and pieces of one ASCII character and what follows.
  TrustedText out;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && is_ascii(text[end])) ++end;
    const bool is_kept = end < text.size() && end > at && is_marker_end(source, end);
    if (end < text.size() && end > at && !is_kept) --end;
    out.append_part(source, at, end);
    at = end;
    if (end < text.size() && is_ascii(text[end])) ++end;
    while (end < text.size() && !is_ascii(text[end])) ++end;
    if (end > at) append_normalized(source, at, end, form, &out);
    at = end;
  }
  return out;
}

}  // namespace quire
