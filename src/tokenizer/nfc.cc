#include "tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"

namespace quire {
namespace {

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

int combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// utf8proc's own decomposition sorts marks by insertion, which takes quadratic time on a hostile
// run of them; so the sort is ours and only the composition is left to it.
void sort_marks(std::vector<utf8proc_int32_t>* code_points) {
  const auto is_starter = [](utf8proc_int32_t c) { return combining_class(c) == 0; };
  auto at = code_points->begin();
  while (at != code_points->end()) {
    at = std::find_if_not(at, code_points->end(), is_starter);
    const auto end = std::find_if(at, code_points->end(), is_starter);
    std::stable_sort(at, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    at = end;
  }
}

std::string normalize_piece(std::string_view text) {
  std::vector<utf8proc_int32_t> code_points;
  std::array<utf8proc_int32_t, 32> parts = {};
  std::size_t at = 0;
  while (at < text.size()) {
    const DecodedCodePoint decoded = decode_utf8(text, at);
    at += decoded.length;
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(decoded.code_point),
                                parts.data(),
                                static_cast<utf8proc_ssize_t>(parts.size()),
                                UTF8PROC_DECOMPOSE,
                                &boundary);
    QUIRE_CHECK(count >= 0 && static_cast<std::size_t>(count) <= parts.size(),
                "a canonical decomposition is short");
    code_points.insert(code_points.end(), parts.begin(), parts.begin() + count);
  }
  sort_marks(&code_points);
  const utf8proc_ssize_t length =
      utf8proc_normalize_utf32(code_points.data(),
                               static_cast<utf8proc_ssize_t>(code_points.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  QUIRE_CHECK(length >= 0, "composition of valid code points succeeds");
  std::string out;
  for (utf8proc_ssize_t i = 0; i < length; ++i) {
    append_utf8(static_cast<char32_t>(code_points[static_cast<std::size_t>(i)]), &out);
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
