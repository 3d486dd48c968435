#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quire/types.h"

namespace quire {

// The id of each text of a vocabulary: a flat table beside the texts, which must outlive it and
// stay where they are. Empty texts have no id. The hash has a seed of its own, so that no file can
// make all of them collide. Immutable once made.
class TokenIndex {
 public:
  TokenIndex() = default;
  explicit TokenIndex(const std::vector<std::string>& texts);

  [[nodiscard]] std::optional<TokenId> find(std::string_view text) const;
  // The same for many texts at once, kNoToken for those that have no id: the waits for memory
  // overlap. `ids` has as many places.
  void find_all(std::span<const std::string_view> texts, std::span<TokenId> ids) const;
  // Two ids that have the same text, if there are such.
  [[nodiscard]] const std::optional<std::pair<TokenId, TokenId>>& duplicate() const {
    return duplicate_;
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    TokenId id = kNoToken;
  };
  [[nodiscard]] std::uint64_t hash_of(std::string_view text) const;
  [[nodiscard]] TokenId find_hashed(std::string_view text, std::uint64_t hash) const;
  void insert(std::size_t id, std::uint64_t hash);

  const std::vector<std::string>* texts_ = nullptr;
  std::vector<Slot> slots_;  // a power of two, at most half full
  std::uint64_t seed_ = 0;
  std::optional<std::pair<TokenId, TokenId>> duplicate_;
};

}  // namespace quire
