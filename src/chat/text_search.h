#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quire::chat {

// Finds one text in others in time that grows with their lengths and not with their product, which
// a template could make huge. The needle must outlive it.
class TextSearch {
 public:
  explicit TextSearch(std::string_view needle);

  // The first occurrence that begins at `from` or later, or the last one that ends at `end` or
  // before; npos when there is none. An empty needle is everywhere.
  [[nodiscard]] std::size_t find(std::string_view text, std::size_t from = 0) const;
  [[nodiscard]] std::size_t find_last(std::string_view text, std::size_t end) const;
  // Occurrences that do not overlap, up to `most`; for a needle that is not empty.
  [[nodiscard]] std::size_t count(std::string_view text, std::size_t most) const;

 private:
  template <bool kBackwards>
  [[nodiscard]] std::size_t scan(std::string_view text, std::size_t from) const;

  std::string_view needle_;
  // Of each beginning of a long needle, read forwards or backwards, how long its longest end is
  // that is a beginning too (Knuth, Morris and Pratt).
  std::vector<std::size_t> borders_;
  std::vector<std::size_t> borders_back_;
};

}  // namespace quire::chat
