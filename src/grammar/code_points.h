#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace quire::grammar {

// A set of Unicode code points without surrogates, as sorted ranges that neither touch nor overlap.
class CodePointSet {
 public:
  using Range = std::pair<char32_t, char32_t>;  // both ends belong to it
  static constexpr char32_t kLast = 0x10FFFF;

  CodePointSet() = default;
  explicit CodePointSet(std::vector<Range> ranges);  // in any order
  static CodePointSet of(char32_t low, char32_t high) { return CodePointSet({{low, high}}); }
  static CodePointSet any() { return of(0, kLast); }
  // What Python's \d, \w and \s are for texts.
  static const CodePointSet& digits();
  static const CodePointSet& words();
  static const CodePointSet& spaces();

  std::span<const Range> ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool contains(char32_t code_point) const;
  CodePointSet united(const CodePointSet& other) const;
  CodePointSet intersected(const CodePointSet& other) const;
  CodePointSet complement() const;

  bool operator==(const CodePointSet&) const = default;
  auto operator<=>(const CodePointSet&) const = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace quire::grammar
