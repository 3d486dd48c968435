#include "cache/block_manager.h"

#include <cstddef>
#include <span>
#include <string_view>

#include "base/check.h"

namespace quire {
namespace {

std::span<const TokenId> tokens_of_block(std::span<const TokenId> tokens,
                                         std::size_t index,
                                         int block_size) {
  const auto size = static_cast<std::size_t>(block_size);
  return tokens.subspan(index * size, size);
}

Hash128 last_key(const BlockTable& table) {
  return table.keys.empty() ? Hash128{} : table.keys.back();
}

std::string_view salt_at(std::size_t index, std::string_view salt) {
  return index == 0 ? salt : std::string_view();
}

}  // namespace

BlockManager::BlockManager(const Options& options)
    : options_(options), pool_(options.num_blocks), index_(options.hash_seed, options.hash_bits) {}

BlockParent BlockManager::parent_of(const BlockTable& table, std::size_t index) const {
  if (index == 0) return {};
  const BlockId parent = table.blocks[index - 1];
  return {parent, pool_.generation(parent)};
}

int BlockManager::allocate_cached(std::span<const TokenId> tokens,
                                  std::string_view salt,
                                  BlockTable* table) {
  QUIRE_CHECK(table->blocks.empty(), "a table allocated twice");
  *table = {};
  if (!options_.prefix_cache || tokens.empty()) return 0;
  const std::size_t num_findable = (tokens.size() - 1) / static_cast<std::size_t>(block_size());
  table->blocks.reserve(num_findable);  // no reference is taken that could not be noted
  table->keys.reserve(num_findable);
  for (std::size_t i = 0; i < num_findable; ++i) {
    const auto block_tokens = tokens_of_block(tokens, i, block_size());
    const Hash128 key = index_.key(last_key(*table), block_tokens, salt_at(i, salt));
    const BlockId block = index_.find(key, parent_of(*table, i), block_tokens, salt_at(i, salt));
    if (block == kNoBlock) break;
    pool_.share(block);
    table->blocks.push_back(block);
    table->keys.push_back(key);
  }
  return static_cast<int>(table->blocks.size()) * block_size();
}

void BlockManager::count_lookup(int num_tokens, int num_hit) {
  stats_.num_lookup_tokens += num_tokens;
  stats_.num_hit_tokens += num_hit;
}

bool BlockManager::can_allocate(int num_held, int num_tokens) const {
  return blocks_for(num_tokens, block_size()) - num_held <= pool_.num_free();
}

bool BlockManager::append(int num_tokens, BlockTable* table) {
  const int num_held = static_cast<int>(table->blocks.size());
  if (!can_allocate(num_held, num_tokens)) return false;
  const int num_needed = blocks_for(num_tokens, block_size());
  table->blocks.reserve(static_cast<std::size_t>(num_needed));
  for (int i = num_held; i < num_needed; ++i) table->blocks.push_back(take());
  return true;
}

BlockId BlockManager::take() {
  if (index_.contains(pool_.front())) {
    index_.erase(pool_.front());
    ++stats_.num_evictions;
  }
  return pool_.take();
}

void BlockManager::publish(std::span<const TokenId> tokens,
                           int num_computed,
                           std::string_view salt,
                           BlockTable* table) {
  if (!options_.prefix_cache) return;
  const auto num_full = static_cast<std::size_t>(num_computed / block_size());
  table->keys.reserve(num_full);
  for (std::size_t i = table->keys.size(); i < num_full; ++i) {
    const auto block_tokens = tokens_of_block(tokens, i, block_size());
    const Hash128 key = index_.key(last_key(*table), block_tokens, salt_at(i, salt));
    const BlockParent parent = parent_of(*table, i);
    const BlockId known = index_.find(key, parent, block_tokens, salt_at(i, salt));
    if (known != kNoBlock) {
      pool_.share(known);
      pool_.release(table->blocks[i], /*findable=*/false);
      table->blocks[i] = known;
    } else {
      index_.insert(key, table->blocks[i], parent, block_tokens, salt_at(i, salt));
    }
    table->keys.push_back(key);
  }
}

void BlockManager::free(BlockTable* table) {
  for (auto block = table->blocks.rbegin(); block != table->blocks.rend(); ++block) {
    pool_.release(*block, index_.contains(*block));
  }
  *table = {};
}

std::vector<BlockId> BlockManager::free_findable_blocks() const {
  std::vector<BlockId> blocks;
  for (BlockId block = 0; block < num_blocks(); ++block) {
    if (pool_.ref_count(block) == 0 && index_.contains(block)) blocks.push_back(block);
  }
  return blocks;
}

}  // namespace quire
