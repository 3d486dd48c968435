#include "cache/block_pool.h"

#include <cstddef>

#include "base/check.h"

namespace quire {

BlockPool::BlockPool(int num_blocks) : nodes_(static_cast<std::size_t>(num_blocks)) {
  for (BlockId block = 0; block < num_blocks; ++block) link_back(block);
}

BlockPool::Node& BlockPool::node(BlockId block) {
  QUIRE_CHECK(block >= 0 && block < num_blocks(), "a block number outside the pool");
  return nodes_[static_cast<std::size_t>(block)];
}

const BlockPool::Node& BlockPool::node(BlockId block) const {
  QUIRE_CHECK(block >= 0 && block < num_blocks(), "a block number outside the pool");
  return nodes_[static_cast<std::size_t>(block)];
}

BlockId BlockPool::take() {
  QUIRE_CHECK(head_ != kNoBlock, "a block taken from an empty pool");
  const BlockId block = head_;
  unlink(block);
  node(block).ref_count = 1;
  ++node(block).generation;
  return block;
}

void BlockPool::share(BlockId block) {
  if (node(block).ref_count == 0) unlink(block);
  ++node(block).ref_count;
}

void BlockPool::release(BlockId block, bool findable) {
  QUIRE_CHECK(node(block).ref_count > 0, "a block freed twice");
  if (--node(block).ref_count > 0) return;
  if (findable) {
    link_back(block);
  } else {
    link_front(block);
  }
}

void BlockPool::unlink(BlockId block) {
  Node& self = node(block);
  (self.previous == kNoBlock ? head_ : node(self.previous).next) = self.next;
  (self.next == kNoBlock ? tail_ : node(self.next).previous) = self.previous;
  self.previous = kNoBlock;
  self.next = kNoBlock;
  --num_free_;
}

void BlockPool::link_front(BlockId block) {
  Node& self = node(block);
  self.next = head_;
  (head_ == kNoBlock ? tail_ : node(head_).previous) = block;
  head_ = block;
  ++num_free_;
}

void BlockPool::link_back(BlockId block) {
  Node& self = node(block);
  self.previous = tail_;
  (tail_ == kNoBlock ? head_ : node(tail_).next) = block;
  tail_ = block;
  ++num_free_;
}

}  // namespace quire
