#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "kernels/attention.h"
#include "kernels/isa.h"
#include "quire/status.h"

struct OrtSessionOptions;

namespace quire::onnx {

// The memory of one cache input, `num_blocks` blocks of kernels::block_bytes().
struct CachePool {
  const void* data = nullptr;
  std::int64_t num_blocks = 0;
};

struct QuireOpsConfig {
  kernels::Isa isa = kernels::Isa::kPortable;
  int num_threads = 1;  // of the session's intra-op pool, the calling thread included
  std::int64_t block_size = 16;
  kernels::KvDtype kv_dtype = kernels::KvDtype::kFloat32;
};

// The operators of domain "quire", version 1 (docs/model_package.md, "The paged graph"), for the
// sessions of one runner. Must outlive every session made from options it was added to. Those
// sessions must run one at a time, because the operators share scratch memory; a second run that
// overlaps fails with an error and harms nothing.
class QuireOps {
 public:
  explicit QuireOps(const QuireOpsConfig& config);
  QuireOps(const QuireOps&) = delete;
  QuireOps& operator=(const QuireOps&) = delete;
  ~QuireOps();

  // Makes the operators known to sessions created with `options`. Call it once.
  Status add_to(OrtSessionOptions* options);

  // Where each cache input must lie, by its name in the graph. Attention writes into its inputs in
  // place: were one a copy that the runtime had slipped in, the writes would be lost silently. So
  // it refuses any other address, and any cache that is not listed here. Not while a session runs.
  void set_cache_pools(std::unordered_map<std::string, CachePool> pools);

  // Bytes of packed weights that the kernels made so far hold.
  std::int64_t weight_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quire::onnx
