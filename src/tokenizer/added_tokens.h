#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quire/types.h"
#include "tokenizer/content_index.h"
#include "tokenizer/trusted_text.h"

namespace quire {

// A token that is found in the text before any splitting. The flags are tokenizer.json's, but for
// `control`.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;      // left out of decoded text on demand
  bool normalized = false;   // looked for in the normalized text, otherwise in the text as given
  bool single_word = false;  // not beside a word character
  bool lstrip = false;       // takes the whitespace before it along
  bool rstrip = false;       // takes the whitespace after it along
  bool control = false;      // steers the model, though the file does not call it special

  // Whether it is found in trusted text only.
  [[nodiscard]] bool is_control() const { return special || control; }
};

// A piece of a text: an added token that was found, or the text between two of them (kNoToken).
struct AddedTokenSegment {
  TokenId id = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Whether a content is whitespace only, the mark that stands for a space included. Text of anybody
// may have that, also where a template writes it.
bool is_blank(std::string_view content);

// Finds added tokens in a text, leftmost first and longest among those that begin at one place.
// Immutable, so usable from any thread.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  // Each token with the content to look for (not empty); a content given twice has the token given
  // last.
  explicit AddedTokenFinder(std::vector<std::pair<AddedToken, std::string>> tokens);

  // Cuts text[begin, end) up. Control tokens count only where all their bytes are trusted, and
  // others (blank ones aside) only where all or none are, so text that is not trusted can neither
  // spell a control token nor hide one. The name of a role inside a marker counts as trusted.
  std::vector<AddedTokenSegment> find(const TrustedText& text,
                                      std::size_t begin,
                                      std::size_t end) const;

 private:
  struct Match {
    const AddedToken* token = nullptr;
    std::size_t end = 0;
  };

  Match match_at(const TrustedText& text, std::size_t at, std::size_t end) const;
  bool counts(const AddedToken& token,
              const TrustedText& text,
              std::size_t begin,
              std::size_t end) const;

  std::vector<AddedToken> tokens_;
  std::vector<bool> blank_;  // of each token, whether its content is
  ContentIndex index_;       // of places in tokens_
};

}  // namespace quire
