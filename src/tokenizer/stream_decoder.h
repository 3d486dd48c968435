#pragma once

#include <cstddef>
#include <string>

#include "quire/result.h"
#include "quire/tokenizer.h"
#include "quire/types.h"

namespace quire {

// Turns token ids into text one at a time. A character that is split over tokens is held back until
// it is whole, so every piece is well-formed UTF-8, and all pieces together equal decode() of all
// ids. One sequence each; not thread-safe. The tokenizer must outlive it.
class StreamDecoder {
 public:
  // With `continues` other text precedes, so that the first token keeps the leading space that a
  // vocabulary may drop at the beginning of a text.
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special, bool continues = false)
      : tokenizer_(&tokenizer), skip_special_(skip_special), is_first_(!continues) {}

  // The text that is certain now that `id` has come. Fails, and stays as it was, on an id that
  // decode() would refuse.
  Result<std::string> push(TokenId id);

  // The rest: what was held back can no longer be completed and becomes U+FFFD. Ready for a new
  // sequence afterwards.
  std::string flush();

 private:
  std::string end_run();

  const Tokenizer* tokenizer_;
  bool skip_special_;
  bool is_first_;
  std::string held_back_;  // at most three bytes: the start of one character
  // Tokens that are bytes, up to now; what they are is known when the run ends.
  std::string run_;
  std::size_t run_drop_ = 0;  // bytes at its beginning that the first token of a text loses
};

}  // namespace quire
