#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "quire/result.h"
#include "quire/tokenizer.h"
#include "quire/types.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe_merger.h"
#include "tokenizer/decoder.h"
#include "tokenizer/mark_cutter.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/token_index.h"
#include "tokenizer/unigram_encoder.h"

namespace quire {

// All that defines a tokenizer, checked by whoever fills it in (tokenizer_json.cc).
struct BpeTokenizerSpec {
  std::vector<std::string>
      tokens;  // text of each id, as in the file; empty where there is no token
  BpeRules rules;
  std::optional<UnigramRules> unigram;  // instead of merges
  std::vector<AddedToken> added_tokens;
  PreTokenizerRules pre_tokenizer;
  std::vector<NormalizerStep> normalizer;
  DecodeRules decoder;
  bool unknown_is_text = false;  // the unknown token stands for anybody's text, special or not
  bool ignore_merges = false;    // a word that is a token stays whole, whatever the merges say
  // What encode_special puts around the text.
  std::vector<TokenId> prefix;
  std::vector<TokenId> suffix;
};

// Unigram, or BPE over bytes, as GPT-2, Llama 3, Qwen, DeepSeek, SmolLM and nanochat use it, or
// over characters, as Llama 2, Mistral, Gemma and Phi-3 do. Immutable: every method may be called
// from any thread.
class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeTokenizerSpec spec);

  Result<std::vector<TokenId>> encode(std::string_view text) const override;
  Result<std::vector<TokenId>> encode_special(std::string_view text) const override;
  Result<std::vector<TokenId>> encode_spans(std::span<const TextSpan> spans) const override;
  Result<std::string> decode(std::span<const TokenId> ids, bool skip_special) const override;
  std::string token_bytes(TokenId id) const override;
  std::string leading_token_bytes(TokenId id) const override;
  bool is_byte_token(TokenId id) const override;
  bool is_special(TokenId id) const override;
  bool is_control(TokenId id) const override;
  std::optional<TokenId> id_of(std::string_view token) const override;
  int vocab_size() const override;

 private:
  Result<std::vector<TokenId>> encode_text(const TrustedText& text) const;
  Status encode_normalized(const TrustedText& text,
                           bool is_first,
                           TextWork* work,
                           std::vector<TokenId>* ids) const;
  void encode_words(const PieceList& words, bool allow_unknown, std::vector<TokenId>* ids) const;
  void encode_word(std::string_view word, bool allow_unknown, std::vector<TokenId>* ids) const;
  bool has_token(TokenId id) const;
  DecodedToken decoded(TokenId id) const;

  BpeTokenizerSpec spec_;
  std::vector<bool> special_;
  std::vector<bool> control_;
  TokenIndex id_of_;                     // by the token's text
  std::vector<std::string> word_texts_;  // what each id is as a word; for ignore_merges only
  TokenIndex word_ids_;                  // by that
  // Texts of tokens that are looked for in the normalized text, as they are there.
  std::unordered_map<TokenId, std::string> normalized_tokens_;
  AddedTokenFinder raw_finder_;         // for tokens that are looked for before normalization
  AddedTokenFinder normalized_finder_;  // and after it
  PreTokenizer pre_tokenizer_;
  BpeMerger merger_;
  std::optional<UnigramEncoder> unigram_;
  // Characters after which words can be cut before a mark that stands for a space, since no merge
  // joins the two; empty where words are not cut so.
  std::optional<MarkCutter> cutter_;
};

}  // namespace quire
