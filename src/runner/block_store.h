#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/system_memory.h"
#include "quire/model_runner.h"
#include "quire/result.h"
#include "quire/types.h"

namespace quire {

// The engine's block tables lead to what a runner keeps for each token. Graphs that know nothing of
// blocks want it in one piece, so these stores copy it out before a step and in after it: sharing,
// preemption and the prefix cache then work for them too.

// One sequence of a step: its places in the step's arrays.
struct StepSequence {
  std::span<const std::int32_t> blocks;  // its row of the block table
  int past = 0;                          // tokens that are stored already
  int num_new = 0;
  std::size_t first_row = 0;  // of its new tokens, on the step's token axis
};

// Sequences that go through a graph together, as a batch without padding, because they are equally
// long: the same past, the same number of new tokens.
struct StepGroup {
  int past = 0;
  int num_new = 0;
  std::vector<StepSequence> sequences;
};
std::vector<StepGroup> group_by_length(const ModelInput& input);

// Keys and values, as many tensors as a model has (two a layer), each of
//   [num_blocks][heads][block_size][head_bytes]
// Not thread-safe. The block numbers are the engine's and must be in the pool.
class KvBlockStore {
 public:
  struct Shape {
    int num_heads = 0;
    std::size_t head_bytes = 0;  // of one token's vector in one head
  };

  // Bytes of one block of all tensors. Fails with kResourceExhausted, as create() does.
  static Result<std::uint64_t> bytes_per_block(std::span<const Shape> tensors, int block_size);
  static Result<KvBlockStore> create(std::vector<Shape> tensors, int num_blocks, int block_size);

  // Copies a sequence's first `length` tokens of one tensor to `out`, [heads][length][head_bytes].
  void gather(std::size_t tensor,
              std::span<const std::int32_t> blocks,
              int length,
              std::byte* out) const;
  // Takes over tokens `begin` to `end` from `from`, [heads][end][head_bytes].
  void scatter(std::size_t tensor,
               std::span<const std::int32_t> blocks,
               int begin,
               int end,
               const std::byte* from);

 private:
  KvBlockStore(std::vector<Shape> tensors, int block_size, MemoryRegion memory);
  std::size_t offset(std::size_t tensor, std::int32_t block, int head, int slot) const;

  std::vector<Shape> tensors_;
  std::vector<std::size_t> begin_of_tensor_;
  int block_size_;
  MemoryRegion memory_;
};

// Token ids, for graphs that compute the whole sequence each time.
class TokenBlockStore {
 public:
  static std::uint64_t bytes_per_block(int block_size);
  // Fails with kResourceExhausted.
  static Result<TokenBlockStore> create(int num_blocks, int block_size);

  void write(const StepSequence& sequence, std::span<const TokenId> new_ids);
  TokenId read(std::span<const std::int32_t> blocks, int position) const;

 private:
  TokenBlockStore(int block_size, MemoryRegion memory);
  TokenId* slot(std::span<const std::int32_t> blocks, int position) const;

  int block_size_;
  MemoryRegion memory_;
};

}  // namespace quire
