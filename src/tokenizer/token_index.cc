#include "tokenizer/token_index.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {
namespace {

// Texts that are looked for together.
constexpr std::size_t kBlock = 96;

__extension__ using Wide = unsigned __int128;

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

std::uint64_t TokenIndex::hash_of(std::string_view text) const {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = seed_ ^ text.size();
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t block = 0;
    std::memcpy(&block, text.data(), sizeof block);
    hash = mixed(hash ^ block, kOdd);
    text.remove_prefix(sizeof block);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, text.data(), text.size());
  return mixed(hash ^ rest, kOdd ^ seed_ << 1U);
}

TokenIndex::TokenIndex(const std::vector<std::string>& texts) : texts_(&texts) {
  std::random_device device;
  seed_ = std::uint64_t{device()} << 32U | device();
  slots_.resize(std::bit_ceil(texts.size() * 2 + 2));
  const std::size_t mask = slots_.size() - 1;
  std::array<std::uint64_t, kBlock> hashes = {};
  for (std::size_t begin = 0; begin < texts.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, texts.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = hash_of(texts[begin + i]);
      __builtin_prefetch(&slots_[hashes[i] & mask]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (!texts[begin + i].empty()) insert(begin + i, hashes[i]);
    }
  }
}

void TokenIndex::insert(std::size_t id, std::uint64_t hash) {
  const auto tag = static_cast<std::uint32_t>(hash >> 32U);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].id != kNoToken; at = (at + 1) & mask) {
    const auto other = static_cast<std::size_t>(slots_[at].id);
    if (slots_[at].hash != tag || (*texts_)[other] != (*texts_)[id]) continue;
    if (!duplicate_) duplicate_ = std::pair(slots_[at].id, static_cast<TokenId>(id));
    return;
  }
  slots_[at] = {tag, static_cast<TokenId>(id)};
}

TokenId TokenIndex::find_hashed(std::string_view text, std::uint64_t hash) const {
  const auto tag = static_cast<std::uint32_t>(hash >> 32U);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].id != kNoToken; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.hash == tag && (*texts_)[static_cast<std::size_t>(slot.id)] == text) return slot.id;
  }
  return kNoToken;
}

std::optional<TokenId> TokenIndex::find(std::string_view text) const {
  if (slots_.empty() || text.empty()) return std::nullopt;
  const TokenId id = find_hashed(text, hash_of(text));
  return id == kNoToken ? std::nullopt : std::optional(id);
}

void TokenIndex::find_all(std::span<const std::string_view> texts, std::span<TokenId> ids) const {
  std::fill(ids.begin(), ids.end(), kNoToken);
  if (slots_.empty()) return;
  const std::size_t mask = slots_.size() - 1;
  std::array<std::uint64_t, kBlock> hashes = {};
  for (std::size_t begin = 0; begin < texts.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, texts.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = hash_of(texts[begin + i]);
      __builtin_prefetch(&slots_[hashes[i] & mask]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const TokenId id = slots_[hashes[i] & mask].id;
      if (id != kNoToken) __builtin_prefetch(&(*texts_)[static_cast<std::size_t>(id)]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (texts[begin + i].empty()) continue;
      ids[begin + i] = find_hashed(texts[begin + i], hashes[i]);
    }
  }
}

}  // namespace quire
