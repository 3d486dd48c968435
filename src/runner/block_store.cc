#include "runner/block_store.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/checked_size.h"
#include "runner/kv_sizing.h"

namespace quire {

std::vector<StepGroup> group_by_length(const ModelInput& input) {
  std::map<std::pair<int, int>, StepGroup> groups;
  const auto max_blocks = static_cast<std::size_t>(input.max_blocks);
  for (std::size_t i = 0; i < input.past_sequence_lengths.size(); ++i) {
    const std::int32_t begin = input.cumulative_sequence_lengths[i];
    const StepSequence sequence{.blocks = input.block_table.subspan(i * max_blocks, max_blocks),
                                .past = input.past_sequence_lengths[i],
                                .num_new = input.cumulative_sequence_lengths[i + 1] - begin,
                                .first_row = static_cast<std::size_t>(begin)};
    StepGroup& group = groups[{sequence.past, sequence.num_new}];
    group.past = sequence.past;
    group.num_new = sequence.num_new;
    group.sequences.push_back(sequence);
  }
  std::vector<StepGroup> list;
  for (auto& [lengths, group] : groups) list.push_back(std::move(group));
  return list;
}

Result<std::uint64_t> KvBlockStore::bytes_per_block(std::span<const Shape> tensors,
                                                    int block_size) {
  std::optional<std::uint64_t> bytes = 0;
  for (const Shape& shape : tensors) {
    const auto one = checked_product({static_cast<std::uint64_t>(shape.num_heads),
                                      shape.head_bytes,
                                      static_cast<std::uint64_t>(block_size)});
    bytes = one ? checked_sum({*bytes, *one}) : std::nullopt;
    if (!bytes) return block_too_large();
  }
  return *bytes;
}

Result<KvBlockStore> KvBlockStore::create(std::vector<Shape> tensors,
                                          int num_blocks,
                                          int block_size) {
  QUIRE_ASSIGN(const std::uint64_t one, bytes_per_block(tensors, block_size));
  QUIRE_ASSIGN(const std::uint64_t bytes,
               check_cache_fits(one, num_blocks, std::numeric_limits<std::size_t>::max()));
  QUIRE_ASSIGN(MemoryRegion memory, MemoryRegion::map(bytes));
  KvBlockStore store(std::move(tensors), block_size, std::move(memory));
  std::size_t begin = 0;
  for (const Shape& shape : store.tensors_) {
    store.begin_of_tensor_.push_back(begin);
    // Parts of the sum above, so they fit.
    QUIRE_ASSIGN(const std::uint64_t part, bytes_per_block({&shape, 1}, block_size));
    begin += part * static_cast<std::size_t>(num_blocks);
  }
  return store;
}

KvBlockStore::KvBlockStore(std::vector<Shape> tensors, int block_size, MemoryRegion memory)
    : tensors_(std::move(tensors)), block_size_(block_size), memory_(std::move(memory)) {}

std::size_t KvBlockStore::offset(std::size_t tensor, std::int32_t block, int head, int slot) const {
  const Shape& shape = tensors_[tensor];
  const auto row = static_cast<std::size_t>(block) * static_cast<std::size_t>(shape.num_heads) +
                   static_cast<std::size_t>(head);
  return begin_of_tensor_[tensor] +
         (row * static_cast<std::size_t>(block_size_) + static_cast<std::size_t>(slot)) *
             shape.head_bytes;
}

void KvBlockStore::gather(std::size_t tensor,
                          std::span<const std::int32_t> blocks,
                          int length,
                          std::byte* out) const {
  const Shape& shape = tensors_[tensor];
  for (int head = 0; head < shape.num_heads; ++head) {
    for (int first = 0; first < length; first += block_size_) {
      const std::int32_t block = blocks[static_cast<std::size_t>(first / block_size_)];
      const int count = std::min(block_size_, length - first);
      const std::size_t bytes = static_cast<std::size_t>(count) * shape.head_bytes;
      std::memcpy(out, memory_.data() + offset(tensor, block, head, 0), bytes);
      out += bytes;
    }
  }
}

void KvBlockStore::scatter(std::size_t tensor,
                           std::span<const std::int32_t> blocks,
                           int begin,
                           int end,
                           const std::byte* from) {
  const Shape& shape = tensors_[tensor];
  const std::size_t head_stride = static_cast<std::size_t>(end) * shape.head_bytes;
  for (int head = 0; head < shape.num_heads; ++head) {
    const std::byte* source = from + static_cast<std::size_t>(head) * head_stride;
    for (int position = begin; position < end;) {
      const std::int32_t block = blocks[static_cast<std::size_t>(position / block_size_)];
      const int slot = position % block_size_;
      const int count = std::min(block_size_ - slot, end - position);
      std::memcpy(memory_.data() + offset(tensor, block, head, slot),
                  source + static_cast<std::size_t>(position) * shape.head_bytes,
                  static_cast<std::size_t>(count) * shape.head_bytes);
      position += count;
    }
  }
}

std::uint64_t TokenBlockStore::bytes_per_block(int block_size) {
  return sizeof(TokenId) * static_cast<std::uint64_t>(block_size);
}

Result<TokenBlockStore> TokenBlockStore::create(int num_blocks, int block_size) {
  QUIRE_ASSIGN(
      const std::uint64_t bytes,
      check_cache_fits(
          bytes_per_block(block_size), num_blocks, std::numeric_limits<std::size_t>::max()));
  QUIRE_ASSIGN(MemoryRegion memory, MemoryRegion::map(bytes));
  return TokenBlockStore(block_size, std::move(memory));
}

TokenBlockStore::TokenBlockStore(int block_size, MemoryRegion memory)
    : block_size_(block_size), memory_(std::move(memory)) {}

TokenId* TokenBlockStore::slot(std::span<const std::int32_t> blocks, int position) const {
  const std::int32_t block = blocks[static_cast<std::size_t>(position / block_size_)];
  return reinterpret_cast<TokenId*>(memory_.data()) +
         static_cast<std::size_t>(block) * static_cast<std::size_t>(block_size_) +
         static_cast<std::size_t>(position % block_size_);
}

void TokenBlockStore::write(const StepSequence& sequence, std::span<const TokenId> new_ids) {
  for (std::size_t i = 0; i < new_ids.size(); ++i) {
    *slot(sequence.blocks, sequence.past + static_cast<int>(i)) = new_ids[i];
  }
}

TokenId TokenBlockStore::read(std::span<const std::int32_t> blocks, int position) const {
  return *slot(blocks, position);
}

}  // namespace quire
