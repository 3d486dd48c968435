#include "cache/prefix_index.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace quire {

PrefixIndex::PrefixIndex(std::uint64_t hash_seed, int hash_bits)
    : hash_seed_(hash_seed), hash_bits_(hash_bits) {}

Hash128 PrefixIndex::key(const Hash128& parent,
                         std::span<const TokenId> tokens,
                         std::string_view salt) const {
  std::vector<std::byte> bytes(sizeof parent + tokens.size_bytes() + salt.size());
  std::memcpy(bytes.data(), &parent, sizeof parent);
  std::memcpy(bytes.data() + sizeof parent, tokens.data(), tokens.size_bytes());
  if (!salt.empty()) {
    std::memcpy(bytes.data() + sizeof parent + tokens.size_bytes(), salt.data(), salt.size());
  }
  Hash128 value = hash128(bytes, hash_seed_);
  if (hash_bits_ < 128) {
    value.high = 0;
    value.low &= (std::uint64_t{1} << static_cast<unsigned>(std::min(hash_bits_, 63))) - 1;
  }
  return value;
}

BlockId PrefixIndex::find(const Hash128& key,
                          const BlockParent& parent,
                          std::span<const TokenId> tokens,
                          std::string_view salt) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return kNoBlock;
  const Entry& entry = found->second;
  const bool same =
      entry.parent == parent && entry.salt == salt && std::ranges::equal(entry.tokens, tokens);
  return same ? entry.block : kNoBlock;
}

void PrefixIndex::insert(const Hash128& key,
                         BlockId block,
                         const BlockParent& parent,
                         std::span<const TokenId> tokens,
                         std::string_view salt) {
  QUIRE_CHECK(!keys_.contains(block), "a block published twice");
  if (const auto found = entries_.find(key); found != entries_.end()) {
    keys_.erase(found->second.block);
  }
  entries_[key] = {block, parent, {tokens.begin(), tokens.end()}, std::string(salt)};
  keys_[block] = key;
}

void PrefixIndex::erase(BlockId block) {
  const auto found = keys_.find(block);
  if (found == keys_.end()) return;
  entries_.erase(found->second);
  keys_.erase(found);
}

}  // namespace quire
