#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quire/status.h"
#include "tokenizer/regex.h"
#include "tokenizer/split_pattern.h"
#include "tokenizer/text_work.h"
#include "tokenizer/trusted_text.h"

namespace quire {

// One step of a pre-tokenizer: what it looks for and what becomes of it.
struct SplitStep {
  enum class Kind {
    kPattern,      // one of the hand-written patterns
    kRegex,        // any other
    kLiteral,      // a text as it stands
    kDigits,       // characters that are digits of any script
    kWhitespace,   // whitespace characters
    kWords,        // runs of word characters, and of others that are no whitespace
    kPunctuation,  // characters that are punctuation, or ASCII symbols
    kByteLevel,    // see below
    kMetaspace,    // see below
  };
  enum class Behavior {
    kIsolated,            // matches and what lies between them become pieces
    kRemoved,             // the matches are thrown away
    kMergedWithPrevious,  // a match belongs to the piece before it
    kMergedWithNext,
    kContiguous,  // neighbouring matches are one piece
  };
  Kind kind = Kind::kDigits;
  Behavior behavior = Behavior::kIsolated;
  bool invert = false;  // what lies between the matches is what is meant

  std::optional<SplitPattern> pattern;
  std::shared_ptr<const Regex> regex;
  std::string literal;
  bool join_digits = false;  // a run of digits is one match; without it each digit is one

  // kByteLevel: puts a space before each piece that has none, splits by the GPT-2 pattern. Where
  // steps follow, they see the pieces in the byte alphabet.
  bool add_prefix_space = false;
  bool split_by_gpt2 = false;

  // kMetaspace: `literal` stands in for spaces, and is put before pieces that do not begin with it;
  // `split` cuts before each.
  enum class Prefix { kNever, kFirst, kAlways };
  Prefix prefix = Prefix::kAlways;
  bool split = true;
};

struct PreTokenizerRules {
  std::vector<SplitStep> steps;

  // Whether words are spelled in bytes, and not in characters.
  [[nodiscard]] bool is_byte_level() const;
};

// Pieces of a text. Those that a step changed live in `changed`; the others are views of the text
// that was split.
struct PieceList {
  std::vector<std::string_view> pieces;
  std::deque<std::string> changed;
};

// Cuts a text into the words that merges never cross. Immutable, so usable from any thread.
class PreTokenizer {
 public:
  explicit PreTokenizer(PreTokenizerRules rules) : rules_(std::move(rules)) {}

  // Replaces what is in `list` by the pieces of `text` (well-formed UTF-8), none of them empty.
  // `is_first`: nothing stands before the text. Fails with kInvalidArgument where a regex gives up.
  // Without `work` the text has its own.
  Status split(std::string_view text,
               bool is_first,
               PieceList* list,
               TextWork* work = nullptr) const;

 private:
  PreTokenizerRules rules_;
};

}  // namespace quire
