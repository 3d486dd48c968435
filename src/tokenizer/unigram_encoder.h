#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quire/types.h"
#include "tokenizer/content_index.h"

namespace quire {

// What a Unigram model knows: the score of each piece, by id.
struct UnigramRules {
  std::vector<double> scores;
  TokenId unknown = -1;                         // kNoToken: there is none
  std::array<TokenId, 256> token_of_byte = {};  // for characters without a piece; kNoToken for none
};

// Cuts a word into the pieces with the largest sum of scores (Viterbi), as the reference does.
// Immutable, so usable from any thread.
class UnigramEncoder {
 public:
  // Pieces of ids that `excluded` has are none that a text is cut into.
  UnigramEncoder(const std::vector<std::string>& pieces,
                 const std::vector<bool>& excluded,
                 UnigramRules rules);

  // Appends the ids of the pieces of well-formed UTF-8. A run of characters that no piece has
  // becomes its bytes, if all of them have tokens, or else one unknown token, when that is allowed.
  void encode_word(std::string_view word, bool allow_unknown, std::vector<TokenId>* ids) const;

 private:
  void append_unknown(std::string_view text, bool allow_unknown, std::vector<TokenId>* ids) const;

  UnigramRules rules_;
  double unknown_score_ = 0;
  ContentIndex index_;  // of ids
};

}  // namespace quire
