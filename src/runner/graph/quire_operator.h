#pragma once

#include <memory>
#include <utility>

#include "runner/graph/graph_operator.h"

namespace quire::graph {

// An operator of src/ops as a node.
class QuireOperator final : public GraphOperator {
 public:
  explicit QuireOperator(std::unique_ptr<ops::Operator> op) : op_(std::move(op)) {}

  Status infer(std::span<const ops::Tensor> inputs, std::span<ops::Tensor> outputs) const override {
    outputs[0].type = ops::ElementType::kFloat32;
    QUIRE_ASSIGN(outputs[0].shape, op_->output_shape(inputs));
    return ok_status();
  }
  Status run(kernels::Executor& executor,
             std::span<const ops::Tensor> inputs,
             std::span<const ops::Tensor> outputs) override {
    return op_->run(executor, inputs, writable<float>(outputs[0]));
  }

  ops::Operator* get() { return op_.get(); }
  std::unique_ptr<ops::Operator> take() { return std::move(op_); }

 private:
  std::unique_ptr<ops::Operator> op_;
};

// The operator of class T behind a node; null where there is another.
template <typename T>
T* operator_of(GraphOperator* op) {
  auto* own = dynamic_cast<QuireOperator*>(op);
  return own == nullptr ? nullptr : dynamic_cast<T*>(own->get());
}

}  // namespace quire::graph
