#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "ops/operator.h"
#include "quire/status.h"

struct OrtSessionOptions;

namespace quire::onnx {

struct QuireOpsConfig {
  kernels::Isa isa = kernels::Isa::kPortable;
  int num_threads = 1;  // of the session's intra-op pool, the calling thread included
  std::int64_t block_size = 16;
  kernels::KvDtype kv_dtype = kernels::KvDtype::kFloat32;
  std::optional<kernels::ActivationBits> activation_bits = {};  // as in ops::Environment
};

// The operators of src/ops as custom operators of ONNX Runtime, for the sessions of one runner.
// Translates tensors, attributes and errors and does nothing else. Must outlive every session made
// from options it was added to. Those sessions must run one at a time; a second run that overlaps
// fails with an error and harms nothing. Needs load_onnxruntime().
class QuireOps {
 public:
  explicit QuireOps(const QuireOpsConfig& config);
  QuireOps(const QuireOps&) = delete;
  QuireOps& operator=(const QuireOps&) = delete;
  ~QuireOps();

  // Makes the operators known to sessions created with `options`. Call it once.
  Status add_to(OrtSessionOptions* options);

  // Where each cache input must lie; see ops::Environment. Not while a session runs.
  void set_cache_pools(std::unordered_map<std::string, ops::CachePool> pools);

  // The failure of an operator since the last call, as it was before the runtime made text of it;
  // ok when there was none.
  Status take_failure();

  // Bytes of packed weights that the kernels made so far hold.
  std::int64_t weight_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quire::onnx
