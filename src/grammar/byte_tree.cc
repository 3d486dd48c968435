#include "grammar/byte_tree.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::grammar {
namespace {

using Range = CodePointSet::Range;

// The two-character escapes of JSON: what follows the backslash, and what it means.
constexpr std::array<std::pair<char, char32_t>, 8> kShortEscapes = {
    {{'"', U'"'}, {'\\', U'\\'}, {'/', U'/'}, {'b', 8}, {'f', 12}, {'n', 10}, {'r', 13}, {'t', 9}}};

ByteSet byte_set(char byte) {
  ByteSet set;
  set.add(static_cast<std::uint8_t>(byte));
  return set;
}

// The numbers low to high as digits, most significant first: as few lists of ranges as there are.
// `bits` a digit, `count` digits.
void split_digits(char32_t low,
                  char32_t high,
                  unsigned bits,
                  unsigned count,
                  std::vector<std::vector<Range>>* out,
                  std::vector<Range> prefix = {}) {
  if (count == 1) {
    prefix.emplace_back(low, high);
    out->push_back(std::move(prefix));
    return;
  }
  const unsigned shift = bits * (count - 1);
  const char32_t rest = (char32_t{1} << shift) - 1;
  const auto below = [&](char32_t digit_low, char32_t digit_high, char32_t from, char32_t to) {
    std::vector<Range> longer = prefix;
    longer.emplace_back(digit_low, digit_high);
    split_digits(from & rest, to & rest, bits, count - 1, out, std::move(longer));
  };
  char32_t first = low >> shift;
  char32_t last = high >> shift;
  if (first == last) return below(first, first, low, high);
  if ((low & rest) != 0) below(first, first, low, rest), ++first;
  const bool open_end = (high & rest) != rest;
  if (open_end) --last;
  if (first <= last) below(first, last, 0, rest);
  if (open_end) below(last + 1, last + 1, 0, high);
}

// UTF-8 of the code points low to high, all of one length.
void spell_utf8(Range range, std::vector<ByteSequence>* out) {
  const auto [low, high] = range;
  if (high < 0x80) {
    out->push_back({ByteSet::of(static_cast<int>(low), static_cast<int>(high))});
    return;
  }
  const unsigned count = high < 0x800 ? 2 : (high < 0x10000 ? 3 : 4);
  const int lead = count == 2 ? 0xC0 : (count == 3 ? 0xE0 : 0xF0);
  std::vector<std::vector<Range>> lists;
  split_digits(low, high, 6, count, &lists);
  for (const std::vector<Range>& list : lists) {
    ByteSequence sequence;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const int base = i == 0 ? lead : 0x80;
      sequence.push_back(ByteSet::of(base + static_cast<int>(list[i].first),
                                     base + static_cast<int>(list[i].second)));
    }
    out->push_back(std::move(sequence));
  }
}

ByteSet hex_digits(Range range) {
  ByteSet set;
  for (char32_t digit = range.first; digit <= range.second; ++digit) {
    constexpr std::string_view kLower = "0123456789abcdef";
    constexpr std::string_view kUpper = "0123456789ABCDEF";
    set.add(static_cast<std::uint8_t>(kLower[digit]));
    set.add(static_cast<std::uint8_t>(kUpper[digit]));
  }
  return set;
}

// The escape of one UTF-16 unit.
void spell_unit(Range range, const ByteSequence& before, std::vector<ByteSequence>* out) {
  std::vector<std::vector<Range>> lists;
  split_digits(range.first, range.second, 4, 4, &lists);
  for (const std::vector<Range>& list : lists) {
    ByteSequence sequence = before;
    sequence.push_back(byte_set('\\'));
    sequence.push_back(byte_set('u'));
    for (const Range& digit : list) sequence.push_back(hex_digits(digit));
    out->push_back(std::move(sequence));
  }
}

// Surrogate pairs: ten bits each.
void spell_pairs(Range range, std::vector<ByteSequence>* out) {
  std::vector<std::vector<Range>> lists;
  split_digits(range.first - 0x10000, range.second - 0x10000, 10, 2, &lists);
  for (const std::vector<Range>& list : lists) {
    std::vector<ByteSequence> high;
    spell_unit({0xD800 + list[0].first, 0xD800 + list[0].second}, {}, &high);
    for (const ByteSequence& before : high) {
      spell_unit({0xDC00 + list[1].first, 0xDC00 + list[1].second}, before, out);
    }
  }
}

void spell_escapes(const CodePointSet& set, std::vector<ByteSequence>* out) {
  const CodePointSet units = set.intersected(CodePointSet::of(0, 0xFFFF));
  for (const Range& range : units.ranges()) spell_unit(range, {}, out);
  const CodePointSet pairs = set.intersected(CodePointSet::of(0x10000, CodePointSet::kLast));
  for (const Range& range : pairs.ranges()) spell_pairs(range, out);
}

const CodePointSet& must_escape() {
  static const CodePointSet kSet({{0, 0x1F}, {U'"', U'"'}, {U'\\', U'\\'}});
  return kSet;
}

}  // namespace

bool needs_escape(char32_t code_point) { return must_escape().contains(code_point); }

std::vector<ByteSequence> spell(const CodePointSet& set, Spelling spelling) {
  std::vector<ByteSequence> sequences;
  const bool json = spelling != Spelling::kPlain;
  const CodePointSet raw = json ? set.intersected(must_escape().complement()) : set;
  constexpr std::array<Range, 4> kLengths = {
      {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xFFFF}, {0x10000, CodePointSet::kLast}}};
  ByteSet ascii;
  for (const Range& length : kLengths) {
    const CodePointSet part = raw.intersected(CodePointSet::of(length.first, length.second));
    for (const Range& range : part.ranges()) {
      if (range.second < 0x80) {
        ascii.add(ByteSet::of(static_cast<int>(range.first), static_cast<int>(range.second)));
      } else {
        spell_utf8(range, &sequences);
      }
    }
  }
  if (ascii != ByteSet()) sequences.insert(sequences.begin(), {ascii});
  if (!json) return sequences;
  ByteSet shorts;
  for (const auto& [letter, meaning] : kShortEscapes) {
    if (set.contains(meaning)) shorts.add(static_cast<std::uint8_t>(letter));
  }
  if (shorts != ByteSet()) sequences.push_back({byte_set('\\'), shorts});
  static const CodePointSet kWritten({{0, 0x1F}, {0x7F, CodePointSet::kLast}});
  spell_escapes(spelling == Spelling::kJsonAny ? set : set.intersected(kWritten), &sequences);
  return sequences;
}

}  // namespace quire::grammar
