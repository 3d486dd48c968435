#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/output_text.h"
#include "quire/output.h"
#include "quire/sampling_params.h"
#include "quire/tokenizer.h"
#include "quire/types.h"

namespace quire {

// Where a token of an answer belongs.
struct TokenPlace {
  PartKind kind = PartKind::kText;
  bool begins = false;  // a part of its own, even after one of the same kind
  bool shown = true;    // false: it says nothing, like a marker
};

// What a sample says, as its tokens arrive, in parts: text, and the calls and results of a tool.
// Stop strings are looked for inside the text parts, each for itself. Without a tokenizer there are
// no texts but still parts and ids. The tokenizer and the parameters must outlive it.
class OutputParts {
 public:
  // `continues`: the answer goes on where the prompt's text ends, and is no text of its own.
  OutputParts(const Tokenizer* tokenizer, const SamplingParams& params, bool continues = false)
      : tokenizer_(tokenizer), params_(&params), continues_(continues) {}

  // Adds a token. Stop strings are looked for only where `may_stop`. True when one is complete.
  bool append(TokenId token, const TokenPlace& place, bool may_stop);

  // Ends the last part: what was held back belongs to it after all.
  void finish();

  // The texts of all text parts.
  std::string text() const;
  // All parts in order, if there are others than text.
  std::vector<OutputPart> parts() const;

  // What came since mark_sent(): one delta a part, and one at least. `ids` are those of all tokens.
  std::vector<TextDelta> unsent(std::span<const TokenId> ids) const;
  void mark_sent();

 private:
  struct Part {
    PartKind kind = PartKind::kText;
    std::optional<OutputText> text;
    std::size_t num_tokens = 0;
    std::size_t num_tokens_sent = 0;
    std::size_t num_bytes_sent = 0;
  };
  void begin(PartKind kind);

  const Tokenizer* tokenizer_;
  const SamplingParams* params_;
  bool continues_;
  std::vector<Part> parts_;
  std::size_t first_unsent_ = 0;  // parts before it are sent whole
  std::size_t num_ids_sent_ = 0;
};

}  // namespace quire
