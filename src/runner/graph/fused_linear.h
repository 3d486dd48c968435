#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ops/linear.h"
#include "runner/graph/graph_operator.h"

namespace quire::graph {

// Several Linears over the same rows, with the norm before them and what follows each: the work of
// many nodes with one wait for all threads. The bits are those of the nodes one after another.
//
// Inputs: x; the norm's weight or left out; then each target's residual or left out.
// Outputs: one for each target.
class FusedLinear final : public GraphOperator {
 public:
  struct Target {
    ops::Linear* linear = nullptr;
    std::unique_ptr<GraphOperator> owner;  // what `linear` lives in
    std::optional<kernels::ActivationKind> gate;
  };

  FusedLinear(ops::Environment* environment, float epsilon, std::vector<Target> targets)
      : environment_(environment), epsilon_(epsilon), targets_(std::move(targets)) {}

  Status infer(std::span<const ops::Tensor> inputs, std::span<ops::Tensor> outputs) const override;
  Status run(kernels::Executor& executor,
             std::span<const ops::Tensor> inputs,
             std::span<const ops::Tensor> outputs) override;

  enum Input : std::size_t { kX, kNorm, kFirstResidual };

 private:
  ops::Environment* environment_;
  float epsilon_;
  std::vector<Target> targets_;
};

}  // namespace quire::graph
