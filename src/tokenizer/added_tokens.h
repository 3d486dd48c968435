#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quire/types.h"
#include "tokenizer/trusted_text.h"

namespace quire {

// A token that is found in the text before any splitting. The flags are tokenizer.json's.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;      // a control token: found in trusted text only
  bool normalized = false;   // looked for in the normalized text, otherwise in the text as given
  bool single_word = false;  // not beside a word character
  bool lstrip = false;       // takes the whitespace before it along
  bool rstrip = false;       // takes the whitespace after it along
};

// A piece of a text: an added token that was found, or the text between two of them (kNoToken).
struct AddedTokenSegment {
  TokenId id = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Finds added tokens in a text, leftmost first and longest among those that begin at one place.
// Immutable once built, so usable from any thread.
class AddedTokenFinder {
 public:
  // `content` must not be empty; a content given twice has the token given last.
  void add(const AddedToken& token, std::string_view content);

  // Cuts text[begin, end) up. Special tokens count only where all their bytes are trusted, so text
  // that is not trusted can neither spell one nor hide one that is.
  std::vector<AddedTokenSegment> find(const TrustedText& text,
                                      std::size_t begin,
                                      std::size_t end) const;

 private:
  struct Node {
    std::map<unsigned char, std::uint32_t> children;
    std::int32_t token = -1;  // index of tokens_ of the content that ends here
  };
  struct Match {
    const AddedToken* token = nullptr;
    std::size_t end = 0;
  };

  Match match_at(const TrustedText& text, std::size_t at, std::size_t end) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> starts_ = {};  // bytes with which some content begins
};

}  // namespace quire
