#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "tokenizer/bpe_merger.h"

namespace quire {

// Cuts a text that was not split into words before each mark that stands for a space (U+2581),
// wherever no token that merges can make goes across the cut. Merging the parts gives the tokens of
// the whole, in the time of short words. Immutable.
class MarkCutter {
 public:
  // Nothing when the vocabulary's tokens go across marks so often that it would not help.
  static std::optional<MarkCutter> make(const std::vector<std::string>& tokens,
                                        const std::vector<BpeMerge>& merges);

  // Length of the first part of `word`, all of it when it cannot be cut.
  std::size_t first_part(std::string_view word) const;

 private:
  // Characters that some token has right before a mark.
  std::unordered_set<char32_t> joined_;
};

}  // namespace quire
