#pragma once

#include <span>
#include <vector>

#include "quire/types.h"

namespace quire {

// Guesses at what follows the tokens of one sequence, for the model to check: a guess never changes
// an answer, only how many steps it takes. One a sequence; engine's thread only.
class Drafter {
 public:
  Drafter() = default;
  Drafter(const Drafter&) = delete;
  Drafter& operator=(const Drafter&) = delete;
  virtual ~Drafter() = default;

  // At most `most` ids that may follow `tokens`, which are those of the last call and what has
  // come since. `break_even`, 0 to 1, is how likely a guess must be right to be worth its row in
  // the step; 0: whatever the price.
  virtual std::vector<TokenId> propose(std::span<const TokenId> tokens,
                                       int most,
                                       double break_even) = 0;
};

}  // namespace quire
