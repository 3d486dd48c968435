#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "quire/tokenizer.h"
#include "quire/types.h"
#include "tokenizer/stream_decoder.h"

namespace quire {

// The text of one sample as its tokens arrive. What may still turn out to be the beginning of a
// stop string is held back, so that no part of one ever leaves.
class OutputText {
 public:
  // `continues`: the text goes on where another ends, so its first token keeps a leading space.
  OutputText(const Tokenizer& tokenizer,
             std::vector<std::string> stop,
             bool keep_stop,
             bool skip_special,
             bool continues = false);

  // Adds a token. Stop strings are looked for only from `may_stop` on. Returns true when one is
  // complete: the text then ends before it (or after it, with keep_stop).
  bool append(TokenId token, bool may_stop);

  // Ends the text: what was held back belongs to it after all.
  void finish();

  // The text that is certain, from the beginning; grows only.
  std::string_view text() const { return std::string_view(text_).substr(0, num_certain_); }

 private:
  bool cut_at_stop(std::size_t from);
  std::size_t num_held_back() const;

  StreamDecoder decoder_;
  std::vector<std::string> stop_;
  bool keep_stop_;
  std::string text_;
  std::size_t num_certain_ = 0;
  std::size_t search_from_ = 0;  // no stop string begins before this byte
  bool done_ = false;
};

}  // namespace quire
