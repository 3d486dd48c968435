#include "chat/text_search.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace quire::chat {
namespace {

// Up to this length the product is not worth the table.
constexpr std::size_t kShort = 16;

template <bool kBackwards>
char at(std::string_view text, std::size_t place) {
  return kBackwards ? text[text.size() - 1 - place] : text[place];
}

template <bool kBackwards>
std::vector<std::size_t> borders_of(std::string_view needle) {
  std::vector<std::size_t> borders(needle.size(), 0);
  std::size_t length = 0;
  for (std::size_t i = 1; i < needle.size(); ++i) {
    const char c = at<kBackwards>(needle, i);
    while (length > 0 && c != at<kBackwards>(needle, length)) length = borders[length - 1];
    if (c == at<kBackwards>(needle, length)) ++length;
    borders[i] = length;
  }
  return borders;
}

}  // namespace

TextSearch::TextSearch(std::string_view needle) : needle_(needle) {
  if (needle.size() <= kShort) return;
  borders_ = borders_of<false>(needle);
  borders_back_ = borders_of<true>(needle);
}

// Where the needle ends, counted in the direction of reading.
template <bool kBackwards>
std::size_t TextSearch::scan(std::string_view text, std::size_t from) const {
  const auto& borders = kBackwards ? borders_back_ : borders_;
  std::size_t length = 0;
  for (std::size_t i = from; i < text.size(); ++i) {
    const char c = at<kBackwards>(text, i);
    while (length > 0 && c != at<kBackwards>(needle_, length)) length = borders[length - 1];
    if (c == at<kBackwards>(needle_, length)) ++length;
    if (length == needle_.size()) return i + 1;
  }
  return std::string_view::npos;
}

std::size_t TextSearch::find(std::string_view text, std::size_t from) const {
  if (needle_.size() <= kShort) return text.find(needle_, from);
  const std::size_t end = scan<false>(text, from);
  return end == std::string_view::npos ? end : end - needle_.size();
}

std::size_t TextSearch::find_last(std::string_view text, std::size_t end) const {
  text = text.substr(0, end);
  if (needle_.size() <= kShort) return text.rfind(needle_);
  const std::size_t found = scan<true>(text, 0);
  return found == std::string_view::npos ? found : text.size() - found;
}

std::size_t TextSearch::count(std::string_view text, std::size_t most) const {
  std::size_t count = 0;
  for (std::size_t found = find(text); found != std::string_view::npos && count < most;
       found = find(text, found + needle_.size())) {
    ++count;
  }
  return count;
}

}  // namespace quire::chat
