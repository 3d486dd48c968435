#pragma once

#include <cstdint>

#include "quire/result.h"

namespace quire {

// What decides how many cache blocks a runner takes.
struct KvSizing {
  int requested_blocks = 0;           // 0: choose from the memory that is free
  std::uint64_t bytes_per_block = 0;  // keys and values of all layers
  std::uint64_t available_bytes = 0;  // memory the process may still take
  int max_num_seqs = 1;
  int max_seq_len = 1;
  int block_size = 16;
};

// The number of blocks: as requested; else as many as `max_num_seqs` sequences of full length could
// use, but no more than a quarter of the free memory and never less than one such sequence needs.
int choose_num_kv_blocks(const KvSizing& sizing);

// The bytes of that many blocks, once they fit the free memory; else kResourceExhausted with what
// to change.
Result<std::uint64_t> check_cache_fits(std::uint64_t bytes_per_block,
                                       int num_blocks,
                                       std::uint64_t available);

// kResourceExhausted for one block that takes more bytes than a machine can count.
Status block_too_large();

}  // namespace quire
