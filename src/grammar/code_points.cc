#include "grammar/code_points.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "grammar/unicode_ranges.h"

namespace quire::grammar {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800;
constexpr char32_t kLastSurrogate = 0xDFFF;

std::vector<CodePointSet::Range> without_surrogates(std::span<const CodePointSet::Range> ranges) {
  std::vector<CodePointSet::Range> kept;
  for (const auto& [low, high] : ranges) {
    if (low > high) continue;
    if (high < kFirstSurrogate || low > kLastSurrogate) {
      kept.emplace_back(low, high);
      continue;
    }
    if (low < kFirstSurrogate) kept.emplace_back(low, kFirstSurrogate - 1);
    if (high > kLastSurrogate) kept.emplace_back(kLastSurrogate + 1, high);
  }
  return kept;
}

}  // namespace

CodePointSet::CodePointSet(std::vector<Range> ranges) {
  std::ranges::sort(ranges);
  for (const Range& range : without_surrogates(ranges)) {
    if (!ranges_.empty() && range.first <= ranges_.back().second + 1) {
      ranges_.back().second = std::max(ranges_.back().second, range.second);
    } else {
      ranges_.push_back(range);
    }
  }
}

const CodePointSet& CodePointSet::digits() {
  static const CodePointSet kSet(decimal_digit_ranges());
  return kSet;
}

const CodePointSet& CodePointSet::words() {
  static const CodePointSet kSet(word_ranges());
  return kSet;
}

const CodePointSet& CodePointSet::spaces() {
  static const CodePointSet kSet(space_ranges());
  return kSet;
}

bool CodePointSet::contains(char32_t code_point) const {
  const auto after = std::ranges::upper_bound(ranges_, code_point, {}, &Range::first);
  return after != ranges_.begin() && std::prev(after)->second >= code_point;
}

CodePointSet CodePointSet::united(const CodePointSet& other) const {
  std::vector<Range> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  return CodePointSet(std::move(all));
}

CodePointSet CodePointSet::complement() const {
  std::vector<Range> gaps;
  char32_t next = 0;
  for (const auto& [low, high] : ranges_) {
    if (low > next) gaps.emplace_back(next, low - 1);
    next = high + 1;
  }
  if (next <= kLast) gaps.emplace_back(next, kLast);
  return CodePointSet(std::move(gaps));
}

CodePointSet CodePointSet::intersected(const CodePointSet& other) const {
  return complement().united(other.complement()).complement();
}

}  // namespace quire::grammar
