#include "tokenizer/pre_tokenizer.h"

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/split_pattern.h"
#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

std::size_t match_length(const SplitStep& step, std::string_view text, std::size_t at) {
  if (step.pattern) return match_split_pattern(*step.pattern, text, at);
  std::size_t end = at;
  for (ClassedChar c = classed_char_at(text, at); c.is(kClassDigit);
       c = classed_char_at(text, end)) {
    end += c.length;
    if (!step.join_digits) break;
  }
  return end - at;
}

void apply(const SplitStep& step, std::string_view text, std::vector<std::string_view>* out) {
  const bool keep_matches = step.keep != SplitStep::Keep::kUnmatched;
  const bool keep_gaps = step.keep != SplitStep::Keep::kMatches;
  std::size_t gap = 0;  // where the text since the last match begins
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = match_length(step, text, at);
    if (length == 0) {
      at += classed_char_at(text, at).length;
      continue;
    }
    if (keep_gaps && at > gap) out->push_back(text.substr(gap, at - gap));
    if (keep_matches) out->push_back(text.substr(at, length));
    at += length;
    gap = at;
  }
  if (keep_gaps && at > gap) out->push_back(text.substr(gap));
}

void apply_to_all(const SplitStep& step, std::vector<std::string_view>* pieces) {
  std::vector<std::string_view> next;
  next.reserve(pieces->size());
  for (const std::string_view piece : *pieces) apply(step, piece, &next);
  *pieces = std::move(next);
}

}  // namespace

void PreTokenizer::split(std::string_view text, PieceList* list) const {
  list->pieces.clear();
  list->prefixed.clear();
  if (text.empty()) return;
  list->pieces.push_back(text);
  for (const SplitStep& step : rules_.steps) apply_to_all(step, &list->pieces);
  if (rules_.add_prefix_space) {
    for (std::string_view& piece : list->pieces) {
      if (piece.front() == ' ') continue;
      std::string& spaced = list->prefixed.emplace_back(1, ' ');
      spaced += piece;
      piece = spaced;
    }
  }
  if (rules_.split_by_gpt2) {
    SplitStep step;
    step.pattern = SplitPattern::kGpt2;
    apply_to_all(step, &list->pieces);
  }
}

}  // namespace quire
