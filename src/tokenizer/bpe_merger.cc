#include "tokenizer/bpe_merger.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"

namespace quire {
namespace {

// Words up to this length are merged by scanning for the lowest rank: quadratic, but faster than a
// heap for the handful of bytes that nearly all words have.
constexpr std::size_t kShortWord = 48;

std::uint64_t pair_of(TokenId left, TokenId right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32U) |
         static_cast<std::uint32_t>(right);
}

// Fibonacci hashing: the high bits of the product depend on all bits of the pair.
std::size_t slot_index(std::uint64_t pair, std::uint32_t shift) {
  return static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15ULL) >> shift);
}

// A symbol of a long word; the word is a doubly linked list over an array, -1 at both ends.
struct Symbol {
  TokenId token = kNoToken;
  std::int32_t previous = -1;
  std::int32_t next = -1;
};

// A possible merge of the symbol at `at` with its neighbour. It is out of date when one of the two
// has been merged since: then the tokens found there are no longer these.
struct Candidate {
  std::uint32_t rank = 0;
  std::int32_t at = 0;
  TokenId left = kNoToken;
  TokenId right = kNoToken;
  TokenId merged = kNoToken;
};

struct LaterCandidate {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  }
};

}  // namespace

BpeMerger::BpeMerger(const BpeRules& rules)
    : by_characters_(rules.by_characters),
      token_of_character_(rules.token_of_character),
      token_of_byte_(rules.token_of_byte),
      unknown_(rules.unknown),
      fuse_unknown_(rules.fuse_unknown) {
  const std::size_t capacity = std::bit_ceil(rules.merges.size() * 2 + 2);
  shift_ = 64U - static_cast<std::uint32_t>(std::countr_zero(capacity));
  slots_.resize(capacity);
  for (std::size_t rank = 0; rank < rules.merges.size(); ++rank) {
    const BpeMerge& merge = rules.merges[rank];
    const std::uint64_t pair = pair_of(merge.left, merge.right);
    std::size_t at = slot_index(pair, shift_);
    while (slots_[at].pair != kEmptyPair && slots_[at].pair != pair) at = (at + 1) % capacity;
    // A pair listed twice has the rank of its last line, as in the reference.
    slots_[at] = {pair, static_cast<std::uint32_t>(rank), merge.merged};
  }
}

const BpeMerger::Slot& BpeMerger::find(TokenId left, TokenId right) const {
  const std::uint64_t pair = pair_of(left, right);
  std::size_t at = slot_index(pair, shift_);
  while (slots_[at].pair != pair) {
    if (slots_[at].pair == kEmptyPair) return none_;
    at = (at + 1) & (slots_.size() - 1);
  }
  return slots_[at];
}

void BpeMerger::encode_word(std::string_view word,
                            bool allow_unknown,
                            std::vector<TokenId>* ids) const {
  const std::size_t begin = ids->size();
  if (by_characters_) {
    append_characters(word, allow_unknown, ids);
  } else {
    append_symbols(word, allow_unknown, ids);
  }
  const std::size_t length = ids->size() - begin;
  if (length < 2) return;
  if (length <= kShortWord) {
    merge_short(ids, begin);
  } else {
    merge_long(ids, begin);
  }
}

// The tokens of all bytes, or false where one has none.
bool BpeMerger::append_bytes(std::string_view bytes, std::vector<TokenId>* ids) const {
  const std::size_t begin = ids->size();
  for (const char byte : bytes) {
    const TokenId token = token_of_byte_[static_cast<unsigned char>(byte)];
    if (token == kNoToken) {
      ids->resize(begin);
      return false;
    }
    ids->push_back(token);
  }
  return true;
}

void BpeMerger::append_characters(std::string_view word,
                                  bool allow_unknown,
                                  std::vector<TokenId>* ids) const {
  bool after_unknown = false;
  for (std::size_t at = 0; at < word.size();) {
    const DecodedCodePoint decoded = decode_utf8(word, at);
    const auto found = token_of_character_.find(decoded.code_point);
    if (found != token_of_character_.end()) {
      ids->push_back(found->second);
      after_unknown = false;
    } else if (append_bytes(word.substr(at, decoded.length), ids)) {
      after_unknown = false;
    } else if (unknown_ != kNoToken && allow_unknown) {
      if (!(fuse_unknown_ && after_unknown)) ids->push_back(unknown_);
      after_unknown = true;
    }
    at += decoded.length;
  }
}

void BpeMerger::append_symbols(std::string_view word,
                               bool allow_unknown,
                               std::vector<TokenId>* ids) const {
  bool after_unknown = false;
  for (const char byte : word) {
    const TokenId token = token_of_byte_[static_cast<unsigned char>(byte)];
    if (token != kNoToken) {
      ids->push_back(token);
      after_unknown = false;
    } else if (unknown_ != kNoToken && allow_unknown) {
      if (!(fuse_unknown_ && after_unknown)) ids->push_back(unknown_);
      after_unknown = true;
    }
  }
}

void BpeMerger::merge_short(std::vector<TokenId>* ids, std::size_t begin) const {
  std::array<const Slot*, kShortWord> merges = {};  // merges[i]: of symbols i and i + 1
  TokenId* symbols = ids->data() + begin;
  std::size_t count = ids->size() - begin;
  for (std::size_t i = 0; i + 1 < count; ++i) merges[i] = &find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (merges[i]->rank < merges[best]->rank) best = i;
    }
    if (merges[best]->rank == kNoRank) break;
    symbols[best] = merges[best]->merged;
    --count;
    for (std::size_t i = best + 1; i < count; ++i) symbols[i] = symbols[i + 1];
    for (std::size_t i = best; i + 1 < count; ++i) merges[i] = merges[i + 1];
    if (best > 0) merges[best - 1] = &find(symbols[best - 1], symbols[best]);
    if (best + 1 < count) merges[best] = &find(symbols[best], symbols[best + 1]);
  }
  ids->resize(begin + count);
}

void BpeMerger::merge_long(std::vector<TokenId>* ids, std::size_t begin) const {
  const std::size_t count = ids->size() - begin;
  QUIRE_CHECK(count < std::size_t{1} << 31U, "a word has fewer than 2^31 bytes");
  std::vector<Symbol> symbols(count);
  std::vector<Candidate> start;
  const auto candidate_at = [&](std::int32_t at) {
    const Symbol& left = symbols[static_cast<std::size_t>(at)];
    if (left.next < 0) return Candidate{kNoRank};
    const TokenId right = symbols[static_cast<std::size_t>(left.next)].token;
    const Slot& slot = find(left.token, right);
    return Candidate{slot.rank, at, left.token, right, slot.merged};
  };
  for (std::size_t i = 0; i < count; ++i) {
    const auto place = static_cast<std::int32_t>(i);
    symbols[i] = {(*ids)[begin + i], place - 1, i + 1 < count ? place + 1 : -1};
  }
  for (std::size_t i = 0; i + 1 < count; ++i) {
    const Candidate candidate = candidate_at(static_cast<std::int32_t>(i));
    if (candidate.rank != kNoRank) start.push_back(candidate);
  }
  std::priority_queue<Candidate, std::vector<Candidate>, LaterCandidate> heap({}, std::move(start));
  const auto offer = [&](std::int32_t at) {
    if (at < 0) return;
    const Candidate candidate = candidate_at(at);
    if (candidate.rank != kNoRank) heap.push(candidate);
  };
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    Symbol& left = symbols[static_cast<std::size_t>(top.at)];
    if (left.token != top.left || left.next < 0) continue;
    Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    if (right.token != top.right) continue;
    left.token = top.merged;
    right.token = kNoToken;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = top.at;
    offer(left.previous);
    offer(top.at);
  }
  ids->resize(begin);
  for (std::int32_t at = 0; at >= 0; at = symbols[static_cast<std::size_t>(at)].next) {
    ids->push_back(symbols[static_cast<std::size_t>(at)].token);
  }
}

}  // namespace quire
