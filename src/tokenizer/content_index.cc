#include "tokenizer/content_index.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace quire {

ContentIndex::ContentIndex(std::vector<std::pair<std::string, std::size_t>> contents)
    : contents_(std::move(contents)) {
  // Equal contents stay in the order given, so the last of each is the one to keep.
  std::stable_sort(contents_.begin(), contents_.end(), [](const auto& a, const auto& b) {
    return a.first < b.first;
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < contents_.size(); ++i) {
    if (i + 1 < contents_.size() && contents_[i].first == contents_[i + 1].first) continue;
    if (kept != i) contents_[kept] = std::move(contents_[i]);
    ++kept;
  }
  contents_.resize(kept);
  std::array<std::uint32_t, 256> counts = {};
  for (const auto& content : contents_) ++counts[static_cast<unsigned char>(content.first[0])];
  for (std::size_t byte = 0; byte < 256; ++byte) first_[byte + 1] = first_[byte] + counts[byte];
}

void ContentIndex::narrow(char byte, std::size_t place, std::size_t* low, std::size_t* high) const {
  const auto byte_of = [this, place](std::size_t i) {
    return static_cast<unsigned char>(contents_[i].first[place]);
  };
  const auto wanted = static_cast<unsigned char>(byte);
  if (byte_of(*low) == wanted && byte_of(*high - 1) == wanted) return;
  const auto bound = [&](auto is_before) {
    std::size_t begin = *low;
    std::size_t end = *high;
    while (begin < end) {
      const std::size_t middle = begin + (end - begin) / 2;
      if (is_before(byte_of(middle))) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return begin;
  };
  const std::size_t first = bound([wanted](unsigned char c) { return c < wanted; });
  *high = bound([wanted](unsigned char c) { return c <= wanted; });
  *low = first;
}

}  // namespace quire
