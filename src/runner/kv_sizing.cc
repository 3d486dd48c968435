#include "runner/kv_sizing.h"

#include <algorithm>
#include <cstdint>

namespace quire {

int choose_num_kv_blocks(const KvSizing& sizing) {
  if (sizing.requested_blocks > 0) return sizing.requested_blocks;
  const auto blocks_of_one = (static_cast<std::uint64_t>(sizing.max_seq_len) +
                              static_cast<std::uint64_t>(sizing.block_size) - 1) /
                             static_cast<std::uint64_t>(sizing.block_size);
  const std::uint64_t useful = blocks_of_one * static_cast<std::uint64_t>(sizing.max_num_seqs);
  const std::uint64_t affordable =
      sizing.available_bytes / 4 / std::max<std::uint64_t>(sizing.bytes_per_block, 1);
  constexpr std::uint64_t kMost = std::uint64_t{1} << 24U;
  return static_cast<int>(std::min(std::max(std::min(useful, affordable), blocks_of_one), kMost));
}

}  // namespace quire
