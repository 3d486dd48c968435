#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "kernels/isa.h"
#include "kernels/kernel_table.h"
#include "quire/status.h"
#include "runner/paged_cache.h"

namespace quire::torch_backend {

// What the operators of the TorchScript namespace "quire" need beside their arguments: the
// operators of src/ops on one runner's cache and scratch memory. Weights are packed when an
// operator first meets them and must not change afterwards. One run at a time.
//
// LibTorch calls operators as plain functions, so the runner of a step is found through a variable
// of the thread: an operator called outside a Scope fails.
class OpsState {
 public:
  // `cache` must outlive this.
  // `activation_bits`: as in ops::Environment.
  OpsState(kernels::Isa isa,
           std::int64_t block_size,
           const PagedCache* cache,
           std::optional<kernels::ActivationBits> activation_bits = {});
  OpsState(const OpsState&) = delete;
  OpsState& operator=(const OpsState&) = delete;
  ~OpsState();

  // Lends a state to the operators that this thread calls while the scope lasts.
  class Scope {
   public:
    explicit Scope(OpsState* state);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();
  };

  // The failure of an operator since the last call, as it was before LibTorch made text of it; ok
  // when there was none.
  Status take_failure();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace quire::torch_backend
