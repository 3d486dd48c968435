#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "cache/block_math.h"
#include "quire/types.h"

namespace quire {

// Where a block stands in a chain of blocks: after `block`, as that block was in `generation`.
// A chain begins at the default value.
struct BlockParent {
  BlockId block = kNoBlock;
  std::uint64_t generation = 0;
  bool operator==(const BlockParent&) const = default;
};

// Finds full cache blocks by what they hold. An entry names the block's tokens and its parent, both
// compared on a hit: two contents whose hashes agree are still told apart, and a block whose parent
// was reused since is never found, whatever the hashes say.
// Not thread-safe; owned by the engine thread.
class PrefixIndex {
 public:
  // `hash_seed` keeps outsiders from preparing collisions; `hash_bits` below 128 is for tests that
  // want collisions.
  explicit PrefixIndex(std::uint64_t hash_seed, int hash_bits = 128);

  // The key of the block that holds `tokens` after the block with key `parent`. The salt separates
  // users; it counts at the beginning of a chain only.
  Hash128 key(const Hash128& parent, std::span<const TokenId> tokens, std::string_view salt) const;

  // The block that holds exactly these tokens after exactly this parent, or kNoBlock.
  BlockId find(const Hash128& key,
               const BlockParent& parent,
               std::span<const TokenId> tokens,
               std::string_view salt) const;

  // Makes a block findable in place of whatever the key led to before: a block whose parent is
  // gone, or one whose hash happens to be the same. Changes nothing when memory runs out.
  void insert(const Hash128& key,
              BlockId block,
              const BlockParent& parent,
              std::span<const TokenId> tokens,
              std::string_view salt);

  // Forgets a block; nothing happens if it is not there.
  void erase(BlockId block);
  bool contains(BlockId block) const {
    return static_cast<std::size_t>(block) < keys_.size() &&
           keys_[static_cast<std::size_t>(block)].has_value();
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    BlockId block = kNoBlock;
    BlockParent parent;
    std::vector<TokenId> tokens;
    std::string salt;
  };

  std::uint64_t hash_seed_;
  int hash_bits_;
  std::unordered_map<Hash128, Entry> entries_;
  std::vector<std::optional<Hash128>> keys_;  // of each block, by its number
};

}  // namespace quire
