#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "quire/tokenizer.h"

namespace quire {

// The simplest tokenizer there is: a token is a byte. For tests that must know what a token says.
class ByteTokenizer : public Tokenizer {
 public:
  static constexpr int kVocabSize = 256;

  Result<std::vector<TokenId>> encode(std::string_view text) const override {
    std::vector<TokenId> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  Result<std::vector<TokenId>> encode_special(std::string_view text) const override {
    return encode(text);
  }
  Result<std::vector<TokenId>> encode_spans(std::span<const TextSpan> spans) const override {
    std::string text;
    for (const TextSpan& span : spans) text += span.text;
    return encode(text);
  }
  Result<std::string> decode(std::span<const TokenId> ids, bool) const override {
    std::string bytes;
    for (const TokenId id : ids) bytes += token_bytes(id);
    return replace_invalid_utf8(bytes);
  }
  std::string token_bytes(TokenId id) const override { return {static_cast<char>(id)}; }
  bool is_special(TokenId) const override { return false; }
  std::optional<TokenId> id_of(std::string_view) const override { return std::nullopt; }
  int vocab_size() const override { return kVocabSize; }
};

}  // namespace quire
