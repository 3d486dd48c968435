#include "tokenizer/bpe_tokenizer.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/stream_decoder.h"

namespace quire {
namespace {

Status not_utf8(std::size_t at) {
  return invalid_argument("the text is not UTF-8 at byte " + std::to_string(at) +
                          "; send it as UTF-8");
}

TrustedText plain_text(std::string_view text, bool trusted) {
  TrustedText out;
  out.append(text, trusted);
  return out;
}

}  // namespace

BpeTokenizer::BpeTokenizer(BpeTokenizerSpec spec)
    : spec_(std::move(spec)),
      special_(spec_.tokens.size()),
      control_(spec_.tokens.size()),
      id_of_(spec_.tokens),
      pre_tokenizer_(spec_.pre_tokenizer),
      merger_(spec_.rules) {
  std::vector<std::pair<AddedToken, std::string>> raw;
  std::vector<std::pair<AddedToken, std::string>> normalized;
  std::size_t num_bytes = 0;
  for (const AddedToken& token : spec_.added_tokens) num_bytes += token.content.size();
  TextWork work(num_bytes);
  for (const AddedToken& token : spec_.added_tokens) {
    const auto place = static_cast<std::size_t>(token.id);
    if (token.special) special_[place] = true;
    if (token.is_control()) control_[place] = true;
    if (!token.normalized) {
      raw.emplace_back(token, token.content);
      continue;
    }
    // A content that no regex can be applied to, or of which nothing is left, is never found.
    const auto content = normalize(spec_.normalizer, plain_text(token.content, true), &work);
    if (!content || content->text.empty()) continue;
    normalized.emplace_back(token, content->text);
    normalized_tokens_[token.id] = content->text;
  }
  raw_finder_ = AddedTokenFinder(std::move(raw));
  normalized_finder_ = AddedTokenFinder(std::move(normalized));
  if (spec_.unigram) {
    unigram_.emplace(spec_.tokens, control_, *spec_.unigram);
    return;
  }
  if (spec_.rules.by_characters && !spec_.ignore_merges) {
    cutter_ = MarkCutter::make(spec_.tokens, spec_.rules.merges);
  }
  if (!spec_.ignore_merges) return;
  word_texts_.resize(spec_.tokens.size());
  for (std::size_t id = 0; id < spec_.tokens.size(); ++id) {
    const std::string& token = spec_.tokens[id];
    // A control token is never what a word of the text turns into.
    if (control_[id] || token.empty()) continue;
    if (spec_.rules.by_characters) {
      word_texts_[id] = token;
    } else if (auto bytes = bytes_of_alphabet(token)) {
      word_texts_[id] = *std::move(bytes);
    }
  }
  word_ids_ = TokenIndex(word_texts_);
}

Result<std::vector<TokenId>> BpeTokenizer::encode(std::string_view text) const {
  return encode_text(plain_text(text, false));
}

Result<std::vector<TokenId>> BpeTokenizer::encode_special(std::string_view text) const {
  QUIRE_ASSIGN(const std::vector<TokenId> ids, encode_text(plain_text(text, true)));
  std::vector<TokenId> out = spec_.prefix;
  out.insert(out.end(), ids.begin(), ids.end());
  out.insert(out.end(), spec_.suffix.begin(), spec_.suffix.end());
  return out;
}

Result<std::vector<TokenId>> BpeTokenizer::encode_spans(std::span<const TextSpan> spans) const {
  TrustedText text;
  for (const TextSpan& span : spans) text.append(span.text, span.trusted);
  return encode_text(text);
}

Result<std::vector<TokenId>> BpeTokenizer::encode_text(const TrustedText& text) const {
  const std::size_t invalid = find_invalid_utf8(text.text);
  if (invalid != std::string_view::npos) return not_utf8(invalid);
  std::vector<TokenId> ids;
  ids.reserve(text.text.size() / 3 + 1);
  TextWork work(text.text.size());
  for (const AddedTokenSegment& segment : raw_finder_.find(text, 0, text.text.size())) {
    if (segment.id != kNoToken) {
      ids.push_back(segment.id);
      continue;
    }
    TrustedText piece = text.slice(segment.begin, segment.end);
    if (!spec_.normalizer.empty()) {
      QUIRE_ASSIGN(piece, normalize(spec_.normalizer, std::move(piece), &work));
    }
    QUIRE_TRY(encode_normalized(piece, segment.begin == 0, &work, &ids));
  }
  return ids;
}

Status BpeTokenizer::encode_normalized(const TrustedText& text,
                                       bool is_first,
                                       TextWork* work,
                                       std::vector<TokenId>* ids) const {
  const std::string_view all = text.text;
  PieceList words;
  for (const AddedTokenSegment& segment : normalized_finder_.find(text, 0, all.size())) {
    if (segment.id != kNoToken) {
      ids->push_back(segment.id);
      continue;
    }
    // The unknown token may be a control token that means something else as well, and then it is no
    // answer to what somebody typed.
    const bool allow_unknown = spec_.rules.unknown != kNoToken &&
                               (spec_.unknown_is_text || !is_control(spec_.rules.unknown) ||
                                text.is_trusted(segment.begin, segment.end));
    const std::string_view part = all.substr(segment.begin, segment.end - segment.begin);
    QUIRE_TRY(pre_tokenizer_.split(part, is_first && segment.begin == 0, &words, work));
    encode_words(words, allow_unknown, ids);
  }
  return ok_status();
}

void BpeTokenizer::encode_words(const PieceList& words,
                                bool allow_unknown,
                                std::vector<TokenId>* ids) const {
  for (std::string_view word : words.pieces) {
    while (cutter_ && !word.empty()) {
      const std::size_t length = cutter_->first_part(word);
      encode_word(word.substr(0, length), allow_unknown, ids);
      word.remove_prefix(length);
    }
    if (!word.empty()) encode_word(word, allow_unknown, ids);
  }
}

void BpeTokenizer::encode_word(std::string_view word,
                               bool allow_unknown,
                               std::vector<TokenId>* ids) const {
  if (unigram_) {
    unigram_->encode_word(word, allow_unknown, ids);
    return;
  }
  if (spec_.ignore_merges) {
    if (const auto found = word_ids_.find(word)) {
      ids->push_back(*found);
      return;
    }
  }
  merger_.encode_word(word, allow_unknown, ids);
}

Result<std::string> BpeTokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  StreamDecoder decoder(*this, skip_special);
  std::string text;
  for (const TokenId id : ids) {
    if (!has_token(id)) {
      return invalid_argument("token id " + std::to_string(id) +
                              " is not in the vocabulary (it has ids below " +
                              std::to_string(vocab_size()) + "); give ids of this model");
    }
    QUIRE_ASSIGN(const std::string piece, decoder.push(id));
    text += piece;
  }
  return text + decoder.flush();
}

// The reference decodes a token as it looked for it.
DecodedToken BpeTokenizer::decoded(TokenId id) const {
  const auto changed = normalized_tokens_.find(id);
  return decode_token(spec_.decoder,
                      changed == normalized_tokens_.end()
                          ? spec_.tokens[static_cast<std::size_t>(id)]
                          : changed->second);
}

std::string BpeTokenizer::token_bytes(TokenId id) const {
  return has_token(id) ? decoded(id).bytes : std::string();
}

std::string BpeTokenizer::leading_token_bytes(TokenId id) const {
  return has_token(id) ? decoded(id).leading_bytes : std::string();
}

bool BpeTokenizer::is_byte_token(TokenId id) const { return has_token(id) && decoded(id).is_byte; }

bool BpeTokenizer::is_special(TokenId id) const {
  return has_token(id) && special_[static_cast<std::size_t>(id)];
}

bool BpeTokenizer::is_control(TokenId id) const {
  return has_token(id) && control_[static_cast<std::size_t>(id)];
}

std::optional<TokenId> BpeTokenizer::id_of(std::string_view token) const {
  return id_of_.find(token);
}

int BpeTokenizer::vocab_size() const { return static_cast<int>(spec_.tokens.size()); }

bool BpeTokenizer::has_token(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < spec_.tokens.size() &&
         !spec_.tokens[static_cast<std::size_t>(id)].empty();
}

}  // namespace quire
