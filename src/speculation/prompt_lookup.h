#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "quire/types.h"
#include "speculation/drafter.h"

namespace quire {

// Draft-free speculation (prompt lookup, n-gram speculation): where the last tokens have stood
// before in the prompt or the answer, what followed them then is the guess. Of the latest places
// the one with the longest match counts; a guess that reaches the end of the text goes on with
// itself, so that loops are followed too.
//
// It learns how often guesses after matches of such a length are right, from the guesses that were
// checked and, free of cost, from those that were not worth it: text that does not repeat itself
// pays for a few rows and no more.
class PromptLookup : public Drafter {
 public:
  std::vector<TokenId> propose(std::span<const TokenId> tokens,
                               int most,
                               double break_even) override;

 private:
  // What the last call found, to be held against what has come.
  struct Guess {
    std::size_t bucket = 0;  // of the match's length
    std::vector<TokenId> ids;
  };

  void learn(std::span<const TokenId> tokens);
  void index(std::span<const TokenId> tokens);
  Guess look_up(std::span<const TokenId> tokens, int most) const;

  static constexpr std::size_t kNumBuckets = 5;
  static constexpr double kPrior = 0.5;

  std::unordered_map<std::uint64_t, int> last_place_;  // of a pair of ids: the place after it
  std::vector<int> earlier_place_;  // for a place: the one before it after the same pair; 0: none
  std::array<double, kNumBuckets> hit_rate_ = {kPrior, kPrior, kPrior, kPrior, kPrior};
  Guess guess_;
  std::size_t num_seen_ = 0;  // tokens of the last call
};

}  // namespace quire
