#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/split_pattern.h"

namespace quire {

// One step of a pre-tokenizer: what it looks for and what becomes of it.
struct SplitStep {
  enum class Keep {
    kAll,        // matches and what lies between them become pieces
    kMatches,    // what lies between the matches is thrown away
    kUnmatched,  // the matches are thrown away
  };
  // What is looked for: a pattern, or (without one) characters that are digits of any script.
  std::optional<SplitPattern> pattern;
  bool join_digits = false;  // a run of digits is one match; without it each digit is one
  Keep keep = Keep::kAll;
};

struct PreTokenizerRules {
  std::vector<SplitStep> steps;
  // The closing ByteLevel step may put a space before each piece that has none, and then split by
  // the GPT-2 pattern.
  bool add_prefix_space = false;
  bool split_by_gpt2 = false;
};

// Pieces of a text. Those that had a space put before them live in `prefixed`; the others are views
// of the text that was split.
struct PieceList {
  std::vector<std::string_view> pieces;
  std::deque<std::string> prefixed;
};

// Cuts a text into the words that merges never cross. Immutable, so usable from any thread.
class PreTokenizer {
 public:
  explicit PreTokenizer(PreTokenizerRules rules) : rules_(std::move(rules)) {}

  // Replaces what is in `list` by the pieces of `text` (well-formed UTF-8), none of them empty.
  void split(std::string_view text, PieceList* list) const;

 private:
  PreTokenizerRules rules_;
};

}  // namespace quire
