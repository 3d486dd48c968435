#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

// Finds which of many contents begin at a place of a text. The contents are sorted and searched as
// they are, so that the index takes hardly more memory than they do. Immutable once made.
class ContentIndex {
 public:
  ContentIndex() = default;
  // Each content (not empty) with what it stands for; a content given twice stands for the last.
  explicit ContentIndex(std::vector<std::pair<std::string, std::size_t>> contents);

  [[nodiscard]] bool empty() const { return contents_.empty(); }
  // Whether some content begins with the byte.
  [[nodiscard]] bool may_begin(char byte) const {
    const auto first = static_cast<unsigned char>(byte);
    return first_[first] != first_[first + std::size_t{1}];
  }

  // visit(what it stands for, length) for each content that text[at...] begins with, shortest
  // first.
  template <typename Visit>
  void visit_at(std::string_view text, std::size_t at, Visit&& visit) const {
    const auto first = static_cast<unsigned char>(text[at]);
    std::size_t low = first_[first];
    std::size_t high = first_[first + std::size_t{1}];
    // All of [low, high) begin with the `length` bytes at the place.
    for (std::size_t length = 1; low < high;) {
      if (contents_[low].first.size() == length) {
        visit(contents_[low].second, length);
        ++low;
        continue;
      }
      if (at + length >= text.size()) return;
      narrow(text[at + length], length, &low, &high);
      ++length;
    }
  }

 private:
  // Leaves of [low, high) those with `byte` at `place`.
  void narrow(char byte, std::size_t place, std::size_t* low, std::size_t* high) const;

  std::vector<std::pair<std::string, std::size_t>> contents_;
  std::array<std::uint32_t, 257> first_ = {};  // where those begin that have each first byte
};

}  // namespace quire
