#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "quire/types.h"

namespace quire {

// One line of a merge list: two neighbours that become one token. Its place in the list is its
// rank.
struct BpeMerge {
  TokenId left = 0;
  TokenId right = 0;
  TokenId merged = 0;
};

// What BPE needs to know: what a word is spelled with and the merges, most important first.
//
// Without `by_characters` a word is spelled in bytes: `token_of_byte` has the token of each,
// kNoToken where the vocabulary has none. With it, a word is spelled in characters, and one that
// the vocabulary lacks in its bytes, if all of them have tokens.
struct BpeRules {
  bool by_characters = false;
  std::unordered_map<char32_t, TokenId> token_of_character;
  std::array<TokenId, 256> token_of_byte = {};
  std::vector<BpeMerge> merges;
  TokenId unknown = -1;       // stands for what has no token; kNoToken: that is dropped
  bool fuse_unknown = false;  // one unknown token for a run of such
};

// Applies merges to one word, lowest rank first and leftmost among equals, as the
// reference does. Immutable, so usable from any thread.
class BpeMerger {
 public:
  explicit BpeMerger(const BpeRules& rules);

  // Appends the tokens of one word. O(n log n) for any word: short ones scan, long ones use a heap.
  // What has no token yields the unknown token only when `allow_unknown`.
  void encode_word(std::string_view word, bool allow_unknown, std::vector<TokenId>* ids) const;

 private:
  // An entry of the open-addressing table from a pair of tokens to its merge.
  struct Slot {
    std::uint64_t pair = kEmptyPair;
    std::uint32_t rank = kNoRank;
    TokenId merged = kNoToken;
  };
  static constexpr std::uint64_t kEmptyPair = ~std::uint64_t{0};
  static constexpr std::uint32_t kNoRank = ~std::uint32_t{0};

  const Slot& find(TokenId left, TokenId right) const;
  bool append_bytes(std::string_view bytes, std::vector<TokenId>* ids) const;
  void append_characters(std::string_view word,
                         bool allow_unknown,
                         std::vector<TokenId>* ids) const;
  void append_symbols(std::string_view word, bool allow_unknown, std::vector<TokenId>* ids) const;
  void merge_short(std::vector<TokenId>* ids, std::size_t begin) const;
  void merge_long(std::vector<TokenId>* ids, std::size_t begin) const;

  bool by_characters_;
  std::unordered_map<char32_t, TokenId> token_of_character_;
  std::array<TokenId, 256> token_of_byte_;
  TokenId unknown_;
  bool fuse_unknown_;
  std::vector<Slot> slots_;  // a power of two, at most half full
  std::uint32_t shift_ = 0;  // hash bits to drop, so that what is left is an index of slots_
  Slot none_;
};

}  // namespace quire
