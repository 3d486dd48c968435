#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"
#include "quire/types.h"

namespace quire {

// A piece of text and whether control tokens spelled inside it are meant as such.
// Text of a user or a tool is never trusted: "<|im_end|>" in it is ten ordinary characters.
struct TextSpan {
  std::string text;
  bool trusted = false;
};

// Text to token ids and back, equal id for id to the reference implementation of the model's
// tokenizer. Immutable once made: every method may be called from any thread.
class Tokenizer {
 public:
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  virtual ~Tokenizer() = default;

  // Ids of plain text: special tokens in it are not recognised and nothing is added around it.
  // Fails with kInvalidArgument when the text is not UTF-8.
  virtual Result<std::vector<TokenId>> encode(std::string_view text) const = 0;

  // The reference's encode(text): special tokens are recognised, the post-processor's are added.
  virtual Result<std::vector<TokenId>> encode_special(std::string_view text) const = 0;

  // Ids of a rendered prompt: special tokens are recognised inside trusted spans only; nothing is
  // added. Adjacent spans are one text for the pre-tokenizer, as they are for the reference.
  virtual Result<std::vector<TokenId>> encode_spans(std::span<const TextSpan> spans) const = 0;

  // Text of ids; ill-formed UTF-8 becomes U+FFFD. Fails on an id outside the vocabulary.
  virtual Result<std::string> decode(std::span<const TokenId> ids, bool skip_special) const = 0;

  // The raw bytes one token adds to a text when it is not the first; empty for an unknown id.
  virtual std::string token_bytes(TokenId id) const = 0;

  // The same for the first token of a text, which loses its leading space with some vocabularies.
  virtual std::string leading_token_bytes(TokenId id) const { return token_bytes(id); }

  // Whether the token is one byte of a character that the vocabulary lacks. A run of such tokens is
  // text if it is UTF-8 as a whole; otherwise decode() makes each of them U+FFFD.
  virtual bool is_byte_token(TokenId) const { return false; }
  // Whether decode() leaves the token out on demand.
  virtual bool is_special(TokenId id) const = 0;

  // Whether the token steers the model, so that no untrusted text becomes it: every special one,
  // and those that whoever loaded the tokenizer named.
  virtual bool is_control(TokenId id) const { return is_special(id); }
  virtual std::optional<TokenId> id_of(std::string_view token) const = 0;

  // One more than the largest id.
  virtual int vocab_size() const = 0;
};

}  // namespace quire
