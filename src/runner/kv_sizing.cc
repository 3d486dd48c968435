#include "runner/kv_sizing.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/checked_size.h"

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

Result<std::uint64_t> check_cache_fits(std::uint64_t bytes_per_block,
                                       int num_blocks,
                                       std::uint64_t available) {
  const auto total = checked_product({bytes_per_block, static_cast<std::uint64_t>(num_blocks)});
  if (total && *total <= available) return *total;
  const std::string size =
      total ? std::to_string(*total >> 20U) + " MiB" : "more than 16777216 TiB";
  return resource_exhausted("a cache of " + std::to_string(num_blocks) + " blocks takes " + size +
                            ", but " + std::to_string(available >> 20U) +
                            " MiB are free; lower option num_kv_blocks or option block_size");
}

Status block_too_large() {
  return resource_exhausted(
      "one block of the cache takes more than 16777216 TiB by the package's cache_layers; export "
      "the model again");
}

}  // namespace quire
