#pragma once

#include <cstdint>
#include <vector>

#include "cache/block_math.h"

namespace quire {

// A pool of cache blocks, known by number only. A block is in use (someone holds a reference) or
// free. Free blocks form one queue, the least recently freed first, and keep their contents until
// taken:
//
//   front (taken next)                                    back (taken last)
//   [blank blocks] [freed long ago, contents findable] .. [freed just now]
//
// Not thread-safe; owned by the engine thread.
class BlockPool {
 public:
  explicit BlockPool(int num_blocks);

  // Takes the front block with one reference and starts a new generation of it; there must be one.
  BlockId take();
  // One more reference; takes the block out of the queue if it was free.
  void share(BlockId block);
  // One reference less. A block that nobody holds goes to the back of the queue, or to its front
  // when its contents cannot be found again.
  void release(BlockId block, bool findable);

  int num_blocks() const { return static_cast<int>(nodes_.size()); }
  int num_free() const { return num_free_; }
  int ref_count(BlockId block) const { return node(block).ref_count; }
  // Counts how often the block was taken: tells whether it still holds what it held.
  std::uint64_t generation(BlockId block) const { return node(block).generation; }
  // The block that take() would return; kNoBlock when none is free.
  BlockId front() const { return head_; }

 private:
  struct Node {
    int ref_count = 0;
    std::uint64_t generation = 0;
    BlockId previous = kNoBlock;
    BlockId next = kNoBlock;
  };

  Node& node(BlockId block);
  const Node& node(BlockId block) const;
  void unlink(BlockId block);
  void link_front(BlockId block);
  void link_back(BlockId block);

  std::vector<Node> nodes_;
  BlockId head_ = kNoBlock;
  BlockId tail_ = kNoBlock;
  int num_free_ = 0;
};

}  // namespace quire
