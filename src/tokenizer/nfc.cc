#include "tokenizer/nfc.h"

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

void append_decomposed(char32_t c, std::vector<utf8proc_int32_t>* out) {
  if (is_opaque(c)) {
    out->push_back(static_cast<utf8proc_int32_t>(c));
    return;
  }
  std::array<utf8proc_int32_t, 32> parts = {};
  int boundary = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary);
  QUIRE_CHECK(count >= 0 && static_cast<std::size_t>(count) <= parts.size(),
              "a canonical decomposition is short");
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

std::string normalize_piece(std::string_view text) {
  std::vector<utf8proc_int32_t> code_points;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    append_decomposed(decoded.code_point, &code_points);
    at += decoded.length;
  }
  sort_marks(&code_points);
  std::string out;
  const std::span<utf8proc_int32_t> all = code_points;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= all.size(); ++i) {
    if (i < all.size() && !is_opaque(static_cast<char32_t>(all[i]))) continue;
    append_composed(all.subspan(begin, i - begin), &out);
    begin = i;
  }
  return out;
}

// Copies ranges of a text, each byte with the trust it had.
class TrustedCopier {
 public:
  TrustedCopier(const TrustedText& source, TrustedText* out) : source_(source), out_(out) {}

  void copy(std::size_t begin, std::size_t end) {
    const std::string_view text = source_.text;
    auto range = std::partition_point(source_.trusted.begin(),
                                      source_.trusted.end(),
                                      [begin](const ByteRange& r) { return r.end <= begin; });
    while (begin < end) {
      const bool none_left = range == source_.trusted.end();
      const bool is_trusted = !none_left && range->begin <= begin;
      const std::size_t change = none_left ? end : (is_trusted ? range->end : range->begin);
      const std::size_t stop = std::min(end, change);
      out_->append(text.substr(begin, stop - begin), is_trusted);
      if (is_trusted) ++range;
      begin = stop;
    }
  }

 private:
  const TrustedText& source_;
  TrustedText* out_;
};

}  // namespace

bool TrustedText::is_trusted(std::size_t begin, std::size_t end) const {
  const auto after = std::upper_bound(
      trusted.begin(), trusted.end(), begin, [](std::size_t place, const ByteRange& range) {
        return place < range.begin;
      });
  return after != trusted.begin() && end <= std::prev(after)->end;
}

TrustedText TrustedText::slice(std::size_t begin, std::size_t end) const {
  TrustedText out;
  TrustedCopier(*this, &out).copy(begin, end);
  return out;
}

void TrustedText::append(std::string_view piece, bool is_trusted) {
  if (piece.empty()) return;
  const std::size_t begin = text.size();
  text += piece;
  if (!is_trusted) return;
  if (!trusted.empty() && trusted.back().end == begin) {
    trusted.back().end = text.size();
  } else {
    trusted.push_back({begin, text.size()});
  }
}

TrustedText normalize_nfc(const TrustedText& source) {
  const std::string_view text = source.text;
  if (std::all_of(text.begin(), text.end(), is_ascii)) return source;
  // Neither does ASCII change by itself nor does a mark reach back past an ASCII character, so the
  // text falls into stretches of ASCII, copied, and pieces of one ASCII character and what follows.
  TrustedText out;
  TrustedCopier copier(source, &out);
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && is_ascii(text[end])) ++end;
    if (end < text.size() && end > at) --end;
    copier.copy(at, end);
    at = end;
    if (end < text.size()) ++end;
    while (end < text.size() && !is_ascii(text[end])) ++end;
    if (end > at)
      out.append(normalize_piece(text.substr(at, end - at)), source.is_trusted(at, end));
    at = end;
  }
  return out;
}

}  // namespace quire
