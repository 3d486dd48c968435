#include "tokenizer/token_index.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {
namespace {

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
  for (std::size_t id = 0; id < texts.size(); ++id) {
    if (texts[id].empty()) continue;
    const std::uint64_t hash = hash_of(texts[id]);
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    std::size_t at = hash & mask;
    while (slots_[at].id != kNoToken) {
      const auto other = static_cast<std::size_t>(slots_[at].id);
      if (slots_[at].hash == tag && texts[other] == texts[id]) {
        if (!duplicate_) duplicate_ = std::pair(slots_[at].id, static_cast<TokenId>(id));
        break;
      }
      at = (at + 1) & mask;
    }
    if (slots_[at].id == kNoToken) slots_[at] = {tag, static_cast<TokenId>(id)};
  }
}

std::optional<TokenId> TokenIndex::find(std::string_view text) const {
  if (slots_.empty() || text.empty()) return std::nullopt;
  const std::uint64_t hash = hash_of(text);
  const auto tag = static_cast<std::uint32_t>(hash >> 32U);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].id != kNoToken; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.hash == tag && (*texts_)[static_cast<std::size_t>(slot.id)] == text) return slot.id;
  }
  return std::nullopt;
}

}  // namespace quire
