#pragma once

#include <cstdint>

namespace quire {

// A cache block's number, 0 to blocks of the pool - 1; what a block table holds.
using BlockId = std::int32_t;
inline constexpr BlockId kNoBlock = -1;

// How many blocks hold `num_tokens` tokens.
constexpr int blocks_for(int num_tokens, int block_size) {
  return num_tokens / block_size + (num_tokens % block_size != 0 ? 1 : 0);
}

}  // namespace quire
