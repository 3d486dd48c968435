#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"
#include "tokenizer/text_work.h"
#include "tokenizer/trusted_text.h"

namespace quire {

// The replacements that sentencepiece compiles into a model (its "precompiled charsmap"): a trie of
// texts, as a double array, and behind it what stands in for each. It may hold anything: nothing
// outside of it is read, and what it gives is UTF-8. Immutable, so usable from any thread.
class Charsmap {
 public:
  // From the bytes of the map: the trie's size in bytes (32 bits), the trie, the replacements, each
  // with a zero byte behind it. Fails with kBadModel.
  static Result<Charsmap> parse(std::string_view bytes);

  // Replaces in well-formed UTF-8 as the reference's Precompiled normalizer does: a short grapheme
  // as a whole, if the map has it or a beginning of it; of all others each character. Nothing is
  // replaced across a change of trust. Fails with kInvalidArgument where the text becomes too long.
  Result<TrustedText> normalize(const TrustedText& text, TextWork* work) const;

 private:
  // What stands in for the shortest beginning of the text that the map has; empty for none.
  std::optional<std::string_view> find(std::string_view text) const;
  Status append_replaced(std::string_view grapheme,
                         bool is_trusted,
                         TextWork* work,
                         TrustedText* out) const;

  std::vector<std::uint32_t> units_;  // of the trie
  std::string replacements_;
};

}  // namespace quire
