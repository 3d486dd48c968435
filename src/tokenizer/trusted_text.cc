#include "tokenizer/trusted_text.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

namespace quire {

bool TrustedText::is_trusted(std::size_t begin, std::size_t end) const {
  const auto after = std::upper_bound(
      trusted.begin(), trusted.end(), begin, [](std::size_t place, const ByteRange& range) {
        return place < range.begin;
      });
  return after != trusted.begin() && end <= std::prev(after)->end;
}

bool TrustedText::is_untrusted(std::size_t begin, std::size_t end) const {
  const auto range = std::partition_point(
      trusted.begin(), trusted.end(), [begin](const ByteRange& r) { return r.end <= begin; });
  return range == trusted.end() || range->begin >= end;
}

std::optional<ByteRange> TrustedText::only_gap(std::size_t begin, std::size_t end) const {
  const auto before = std::partition_point(
      trusted.begin(), trusted.end(), [begin](const ByteRange& r) { return r.end <= begin; });
  if (before == trusted.end() || before->begin > begin) return std::nullopt;
  const auto after = std::next(before);
  if (after == trusted.end() || after->begin >= end || after->end < end) return std::nullopt;
  return ByteRange{before->end, after->begin};
}

TrustedText TrustedText::slice(std::size_t begin, std::size_t end) const {
  TrustedText out;
  out.append_part(*this, begin, end);
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

void TrustedText::append_part(const TrustedText& source, std::size_t begin, std::size_t end) {
  const std::string_view all = source.text;
  auto range = std::partition_point(source.trusted.begin(),
                                    source.trusted.end(),
                                    [begin](const ByteRange& r) { return r.end <= begin; });
  while (begin < end) {
    const bool none_left = range == source.trusted.end();
    const bool is_trusted = !none_left && range->begin <= begin;
    const std::size_t change = none_left ? end : (is_trusted ? range->end : range->begin);
    const std::size_t stop = std::min(end, change);
    append(all.substr(begin, stop - begin), is_trusted);
    if (is_trusted) ++range;
    begin = stop;
  }
}

}  // namespace quire
