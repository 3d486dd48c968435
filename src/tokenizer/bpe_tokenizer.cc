#include "tokenizer/bpe_tokenizer.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/byte_alphabet.h"

namespace quire {
namespace {

Status not_utf8(std::size_t at) {
  return invalid_argument("the text is not UTF-8 at byte " + std::to_string(at));
}

// Tokens are stored as text of the byte alphabet; one that is not stands for itself, as in the
// reference's decoder.
std::string decoded_token(const std::string& token) {
  return bytes_of_alphabet(token).value_or(token);
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
      pre_tokenizer_(spec_.pre_tokenizer),
      merger_(spec_.rules) {
  for (const AddedToken& token : spec_.added_tokens) {
    if (token.special) special_[static_cast<std::size_t>(token.id)] = true;
    if (token.normalized && spec_.normalize_nfc) {
      normalized_finder_.add(token, normalize_nfc(plain_text(token.content, true)).text);
    } else if (token.normalized) {
      normalized_finder_.add(token, token.content);
    } else {
      raw_finder_.add(token, token.content);
    }
  }
  bytes_.reserve(spec_.tokens.size());
  for (std::size_t id = 0; id < spec_.tokens.size(); ++id) {
    const std::string& token = spec_.tokens[id];
    bytes_.push_back(decoded_token(token));
    if (!token.empty()) id_of_.emplace(token, static_cast<TokenId>(id));
  }
  if (!spec_.ignore_merges) return;
  for (std::size_t id = 0; id < bytes_.size(); ++id) {
    // A control token is never what a word of the text turns into.
    const bool is_word = bytes_of_alphabet(spec_.tokens[id]).has_value() && !special_[id];
    if (is_word) word_ids_.emplace(bytes_[id], static_cast<TokenId>(id));
  }
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
  for (const AddedTokenSegment& segment : raw_finder_.find(text, 0, text.text.size())) {
    if (segment.id != kNoToken) {
      ids.push_back(segment.id);
      continue;
    }
    const TrustedText piece = text.slice(segment.begin, segment.end);
    if (spec_.normalize_nfc) {
      encode_normalized(normalize_nfc(piece), &ids);
    } else {
      encode_normalized(piece, &ids);
    }
  }
  return ids;
}

void BpeTokenizer::encode_normalized(const TrustedText& text, std::vector<TokenId>* ids) const {
  const std::string_view all = text.text;
  PieceList words;
  for (const AddedTokenSegment& segment : normalized_finder_.find(text, 0, all.size())) {
    if (segment.id != kNoToken) {
      ids->push_back(segment.id);
      continue;
    }
    // The unknown token is often a control token as well, and then it is no answer to a byte that
    // somebody typed.
    const bool allow_unknown =
        spec_.rules.unknown != kNoToken &&
        (!is_special(spec_.rules.unknown) || text.is_trusted(segment.begin, segment.end));
    pre_tokenizer_.split(all.substr(segment.begin, segment.end - segment.begin), &words);
    for (const std::string_view word : words.pieces) encode_word(word, allow_unknown, ids);
  }
}

void BpeTokenizer::encode_word(std::string_view word,
                               bool allow_unknown,
                               std::vector<TokenId>* ids) const {
  if (spec_.ignore_merges) {
    const auto found = word_ids_.find(word);
    if (found != word_ids_.end()) {
      ids->push_back(found->second);
      return;
    }
  }
  merger_.encode_word(word, allow_unknown, ids);
}

Result<std::string> BpeTokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (!has_token(id)) {
      return invalid_argument("token id " + std::to_string(id) +
                              " is not in the vocabulary (it has ids below " +
                              std::to_string(vocab_size()) + ")");
    }
    if (skip_special && is_special(id)) continue;
    bytes += bytes_[static_cast<std::size_t>(id)];
  }
  return replace_invalid_utf8(bytes);
}

std::string BpeTokenizer::token_bytes(TokenId id) const {
  return has_token(id) ? bytes_[static_cast<std::size_t>(id)] : std::string();
}

bool BpeTokenizer::is_special(TokenId id) const {
  return has_token(id) && special_[static_cast<std::size_t>(id)];
}

std::optional<TokenId> BpeTokenizer::id_of(std::string_view token) const {
  const auto found = id_of_.find(token);
  if (found == id_of_.end()) return std::nullopt;
  return found->second;
}

int BpeTokenizer::vocab_size() const { return static_cast<int>(spec_.tokens.size()); }

bool BpeTokenizer::has_token(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < spec_.tokens.size() &&
         !spec_.tokens[static_cast<std::size_t>(id)].empty();
}

}  // namespace quire
