#include "tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quire/result.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

// A stretch of a text that is a match, or lies between two.
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is_match = false;
};

bool is_punctuation(const ClassedChar& c) {
  const bool is_ascii_symbol = c.code_point < 0x80 && c.is(kClassSymbol);
  return c.is(kClassPunctuation) || is_ascii_symbol;
}

std::size_t match_length(const SplitStep& step, std::string_view text, std::size_t at) {
  switch (step.kind) {
    case SplitStep::Kind::kPattern:
      return match_split_pattern(*step.pattern, text, at);
    case SplitStep::Kind::kLiteral:
    case SplitStep::Kind::kMetaspace:
      return text.substr(at).starts_with(step.literal) ? step.literal.size() : 0;
    case SplitStep::Kind::kPunctuation: {
      const ClassedChar c = classed_char_at(text, at);
      return is_punctuation(c) ? c.length : 0;
    }
    case SplitStep::Kind::kWhitespace: {
      const ClassedChar c = classed_char_at(text, at);
      return c.is(kClassSpace) ? c.length : 0;
    }
    case SplitStep::Kind::kWords: {
      const ClassedChar first = classed_char_at(text, at);
      const bool is_word = first.is(kClassWord);
      std::size_t end = at;
      for (ClassedChar c = first; c.length > 0 && c.is(kClassWord) == is_word;
           c = classed_char_at(text, end)) {
        if (!is_word && c.is(kClassSpace)) break;
        end += c.length;
      }
      return end - at;
    }
    case SplitStep::Kind::kDigits: {
      std::size_t end = at;
      for (ClassedChar c = classed_char_at(text, at); c.is(kClassDigit);
           c = classed_char_at(text, end)) {
        end += c.length;
        if (!step.join_digits) break;
      }
      return end - at;
    }
    case SplitStep::Kind::kRegex:
    case SplitStep::Kind::kByteLevel:
      return 0;
  }
  return 0;
}

Status find_regex_stretches(const SplitStep& step,
                            std::string_view text,
                            TextWork* work,
                            std::vector<Stretch>* out) {
  RegexSearch search(*step.regex, text, work);
  std::size_t done = 0;
  while (true) {
    QUIRE_ASSIGN(const std::optional<ByteRange> match, search.next());
    if (!match) break;
    if (match->begin > done) out->push_back({done, match->begin, false});
    out->push_back({match->begin, match->end, true});
    done = match->end;
  }
  if (done < text.size()) out->push_back({done, text.size(), false});
  return ok_status();
}

Status find_stretches(const SplitStep& step,
                      std::string_view text,
                      TextWork* work,
                      std::vector<Stretch>* out) {
  out->clear();
  if (step.kind == SplitStep::Kind::kRegex) return find_regex_stretches(step, text, work, out);
  std::size_t done = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = match_length(step, text, at);
    if (length == 0) {
      at += classed_char_at(text, at).length;
      continue;
    }
    if (at > done) out->push_back({done, at, false});
    out->push_back({at, at + length, true});
    at += length;
    done = at;
  }
  if (done < text.size()) out->push_back({done, text.size(), false});
  return ok_status();
}

// Joins each match with the stretch before it; of matches in a row only the first.
void merge_with_previous(std::vector<Stretch>* stretches) {
  std::vector<Stretch> merged;
  bool after_match = false;
  for (const Stretch& stretch : *stretches) {
    if (stretch.is_match && !after_match && !merged.empty()) {
      merged.back().end = stretch.end;
    } else {
      merged.push_back(stretch);
    }
    after_match = stretch.is_match;
  }
  *stretches = std::move(merged);
}

void merge_with_next(std::vector<Stretch>* stretches) {
  std::vector<Stretch> merged;
  bool before_match = false;
  for (std::size_t i = stretches->size(); i-- > 0;) {
    const Stretch& stretch = (*stretches)[i];
    if (stretch.is_match && !before_match && !merged.empty()) {
      merged.back().begin = stretch.begin;
    } else {
      merged.push_back(stretch);
    }
    before_match = stretch.is_match;
  }
  std::ranges::reverse(merged);
  *stretches = std::move(merged);
}

void merge_equal(std::vector<Stretch>* stretches) {
  std::vector<Stretch> merged;
  for (const Stretch& stretch : *stretches) {
    if (!merged.empty() && merged.back().is_match == stretch.is_match) {
      merged.back().end = stretch.end;
    } else {
      merged.push_back(stretch);
    }
  }
  *stretches = std::move(merged);
}

void apply_behavior(const SplitStep& step, std::vector<Stretch>* stretches) {
  if (step.invert) {
    for (Stretch& stretch : *stretches) stretch.is_match = !stretch.is_match;
  }
  switch (step.behavior) {
    case SplitStep::Behavior::kIsolated:
      break;
    case SplitStep::Behavior::kRemoved:
      std::erase_if(*stretches, [](const Stretch& stretch) { return stretch.is_match; });
      break;
    case SplitStep::Behavior::kMergedWithPrevious:
      merge_with_previous(stretches);
      break;
    case SplitStep::Behavior::kMergedWithNext:
      merge_with_next(stretches);
      break;
    case SplitStep::Behavior::kContiguous:
      merge_equal(stretches);
      break;
  }
}

Status split_all(const SplitStep& step, TextWork* work, std::vector<std::string_view>* pieces) {
  std::vector<std::string_view> next;
  next.reserve(pieces->size());
  std::vector<Stretch> stretches;
  for (const std::string_view piece : *pieces) {
    QUIRE_TRY(find_stretches(step, piece, work, &stretches));
    apply_behavior(step, &stretches);
    for (const Stretch& stretch : stretches) {
      if (stretch.end == stretch.begin) continue;
      next.push_back(piece.substr(stretch.begin, stretch.end - stretch.begin));
    }
  }
  *pieces = std::move(next);
  return ok_status();
}

Status apply_byte_level(const SplitStep& step, bool is_last, TextWork* work, PieceList* list) {
  if (step.add_prefix_space) {
    for (std::string_view& piece : list->pieces) {
      if (piece.front() == ' ') continue;
      std::string& spaced = list->changed.emplace_back(1, ' ');
      spaced += piece;
      piece = spaced;
    }
  }
  if (step.split_by_gpt2) {
    const SplitStep gpt2{.kind = SplitStep::Kind::kPattern, .pattern = SplitPattern::kGpt2};
    QUIRE_TRY(split_all(gpt2, work, &list->pieces));
  }
  if (is_last) return ok_status();
  for (std::string_view& piece : list->pieces) {
    piece = list->changed.emplace_back(alphabet_of_bytes(piece));
  }
  return ok_status();
}

Status apply_metaspace(const SplitStep& step, bool is_first, TextWork* work, PieceList* list) {
  const std::string_view whole = list->pieces.empty() ? "" : list->pieces.front();
  for (std::string_view& piece : list->pieces) {
    std::string& marked = list->changed.emplace_back();
    for (const char c : piece) {
      if (c == ' ') {
        marked += step.literal;
      } else {
        marked.push_back(c);
      }
    }
    const bool is_wanted =
        step.prefix == SplitStep::Prefix::kAlways ||
        (step.prefix == SplitStep::Prefix::kFirst && is_first && piece.data() == whole.data());
    if (is_wanted && !marked.starts_with(step.literal)) marked.insert(0, step.literal);
    piece = marked;
  }
  if (!step.split) return ok_status();
  SplitStep marks = step;
  marks.behavior = SplitStep::Behavior::kMergedWithNext;
  return split_all(marks, work, &list->pieces);
}

}  // namespace

bool PreTokenizerRules::is_byte_level() const {
  return std::ranges::any_of(
      steps, [](const SplitStep& step) { return step.kind == SplitStep::Kind::kByteLevel; });
}

Status PreTokenizer::split(std::string_view text,
                           bool is_first,
                           PieceList* list,
                           TextWork* work) const {
  TextWork own_work(text.size());
  if (work == nullptr) work = &own_work;
  list->pieces.clear();
  list->changed.clear();
  if (text.empty()) return ok_status();
  list->pieces.push_back(text);
  bool in_alphabet = false;
  for (const SplitStep& step : rules_.steps) {
    if (step.kind == SplitStep::Kind::kByteLevel) {
      const bool is_last = &step == &rules_.steps.back();
      QUIRE_TRY(apply_byte_level(step, is_last, work, list));
      in_alphabet |= !is_last;
    } else if (step.kind == SplitStep::Kind::kMetaspace) {
      QUIRE_TRY(apply_metaspace(step, is_first, work, list));
    } else {
      QUIRE_TRY(split_all(step, work, &list->pieces));
    }
  }
  if (!in_alphabet) return ok_status();
  for (std::string_view& piece : list->pieces) {
    piece = list->changed.emplace_back(bytes_of_alphabet(piece).value_or(std::string(piece)));
  }
  return ok_status();
}

}  // namespace quire
