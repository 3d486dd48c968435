#include "runner/graph/fused_linear.h"

#include <array>

namespace quire::graph {

Status FusedLinear::infer(std::span<const ops::Tensor> inputs,
                          std::span<ops::Tensor> outputs) const {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    QUIRE_ASSIGN(const ops::Shape shape, targets_[i].linear->output_shape(inputs));
    outputs[i].type = ops::ElementType::kFloat32;
    outputs[i].shape = targets_[i].gate ? shape.with_back(shape.back() / 2) : shape;
    const ops::Tensor& residual = inputs[kFirstResidual + i];
    if (residual.present && residual.shape != outputs[i].shape) {
      return bad_model("what is added has another shape than it had when the model was opened");
    }
  }
  return ok_status();
}

Status FusedLinear::run(kernels::Executor& executor,
                        std::span<const ops::Tensor> inputs,
                        std::span<const ops::Tensor> outputs) {
  std::array<kernels::LinearTarget, kernels::kMaxLinearTargets> targets;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const ops::Tensor& residual = inputs[kFirstResidual + i];
    targets[i] = {
        .weights = &targets_[i].linear->weights(),
        .activation_bits = targets_[i].linear->activation_bits(),
        .y = writable<float>(outputs[i]),
        .residual = residual.present ? residual.elements<float>() : std::span<const float>(),
        .gate = targets_[i].gate ? &*targets_[i].gate : nullptr};
  }
  const kernels::LinearRows rows = {
      .x = inputs[kX].elements<float>(),
      .norm = inputs[kNorm].present ? inputs[kNorm].elements<float>() : std::span<const float>(),
      .epsilon = epsilon_};
  return kernels::linear_group({environment_->isa, executor, environment_->workspace},
                               rows,
                               std::span(targets).first(targets_.size()));
}

}  // namespace quire::graph
