#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "cache/block_math.h"
#include "cache/block_pool.h"
#include "cache/prefix_index.h"
#include "quire/types.h"

namespace quire {

// The blocks of one sequence, in order, and how far they are findable by others:
//
//   blocks  [ 7 ][ 3 ][ 9 ][ 4 ]      one an id, the last one partly filled
//   keys    [ k ][ k ]                published (or found) so far
//
// A plain value, moved with its sequence; only the BlockManager changes it.
struct BlockTable {
  std::vector<BlockId> blocks;
  std::vector<Hash128> keys;
};

struct BlockManagerStats {
  std::int64_t num_lookup_tokens = 0;  // prompt tokens that were looked up
  std::int64_t num_hit_tokens = 0;     // of them found in the cache
  std::int64_t num_evictions = 0;      // findable blocks that were reused for something else
};

// The books of the paged cache: which block belongs to which sequence, which blocks are shared,
// which may be found by a later prompt. Integers only; the bytes are the runner's. Not thread-safe;
// owned by the engine thread.
class BlockManager {
 public:
  struct Options {
    int num_blocks = 0;
    int block_size = 16;
    bool prefix_cache = true;
    std::uint64_t hash_seed = 0;
    int hash_bits = 128;  // fewer: a test hook that makes hashes collide
  };
  explicit BlockManager(const Options& options);

  // Starts an empty table with the longest run of cached full blocks that `tokens` begins with,
  // shared, but never all of the tokens: the last one is always computed. Returns the tokens found.
  int allocate_cached(std::span<const TokenId> tokens, std::string_view salt, BlockTable* table);

  // Whether `num_tokens` tokens would fit a table that has `num_held` blocks now.
  bool can_allocate(int num_held, int num_tokens) const;

  // Lengthens the table to hold `num_tokens` tokens. Takes all the blocks that needs, or none and
  // returns false.
  bool append(int num_tokens, BlockTable* table);

  // Makes the full blocks of the first `num_computed` tokens findable. Where an equal block is
  // findable already, the table switches to that one and gives its own back: equal tokens have
  // equal keys and values, bit for bit.
  void publish(std::span<const TokenId> tokens,
               int num_computed,
               std::string_view salt,
               BlockTable* table);

  // Gives all blocks back, the last first, so that the ends of sequences are reused before their
  // beginnings, and clears the table.
  void free(BlockTable* table);

  // Adds one prompt to the statistics: of `num_tokens` looked up, `num_hit` were found.
  void count_lookup(int num_tokens, int num_hit);

  int block_size() const { return options_.block_size; }
  int num_blocks() const { return pool_.num_blocks(); }
  int num_free_blocks() const { return pool_.num_free(); }
  int num_used_blocks() const { return pool_.num_blocks() - pool_.num_free(); }
  // Free blocks that a prompt may find, in order of their numbers.
  std::vector<BlockId> free_findable_blocks() const;
  const BlockPool& pool() const { return pool_; }
  const BlockManagerStats& stats() const { return stats_; }

 private:
  BlockId take();
  BlockParent parent_of(const BlockTable& table, std::size_t index) const;

  Options options_;
  BlockPool pool_;
  PrefixIndex index_;
  BlockManagerStats stats_;
};

}  // namespace quire
