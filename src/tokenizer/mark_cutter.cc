#include "tokenizer/mark_cutter.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

constexpr std::string_view kMark = "\u2581";
constexpr std::size_t kMostJoined = 4096;

}  // namespace

std::optional<MarkCutter> MarkCutter::make(const std::vector<std::string>& tokens,
                                           const std::vector<BpeMerge>& merges) {
  // An unknown mark would be one with unknown characters around it.
  if (std::ranges::find(tokens, kMark) == tokens.end()) return std::nullopt;
  MarkCutter cutter;
  for (const BpeMerge& merge : merges) {
    const std::string_view token = tokens[static_cast<std::size_t>(merge.merged)];
    for (std::size_t at = token.find(kMark, 1); at != std::string_view::npos;
         at = token.find(kMark, at + 1)) {
      cutter.joined_.insert(classed_char_before(token, at).code_point);
    }
  }
  if (cutter.joined_.size() > kMostJoined) return std::nullopt;
  return cutter;
}

std::size_t MarkCutter::first_part(std::string_view word) const {
  for (std::size_t at = word.find(kMark, 1); at != std::string_view::npos;
       at = word.find(kMark, at + 1)) {
    if (!joined_.contains(classed_char_before(word, at).code_point)) return at;
  }
  return word.size();
}

}  // namespace quire
