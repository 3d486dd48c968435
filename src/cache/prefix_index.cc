#include "cache/prefix_index.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
  QUIRE_CHECK(!contains(block), "a block published twice");
  const auto slot = static_cast<std::size_t>(block);
  if (slot >= keys_.size()) keys_.resize(slot + 1);
  Entry entry{block, parent, {tokens.begin(), tokens.end()}, std::string(salt)};
  const auto [found, added] = entries_.try_emplace(key);
  if (!added) keys_[static_cast<std::size_t>(found->second.block)].reset();
  found->second = std::move(entry);
  keys_[slot] = key;
}

void PrefixIndex::erase(BlockId block) {
  if (!contains(block)) return;
  std::optional<Hash128>& key = keys_[static_cast<std::size_t>(block)];
  entries_.erase(*key);
  key.reset();
}

}  // namespace quire
