#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/system_memory.h"
#include "ops/tensor.h"
#include "runner/graph/graph_model.h"
#include "runner/graph/step_memory.h"

namespace quire::graph {

// Where everything of a step lies: for given shapes of the inputs, the shape and the memory of
// every value. Made anew when those shapes change, which takes some microseconds. Values whose last
// reader has run lend their memory to later ones. Movable.
class Layout {
 public:
  // Computes what follows from constants alone, and finds who reads what last. The model must
  // outlive this and stay as it is. Fails with kBadModel.
  static Result<Layout> plan(GraphModel* model);

  // Lays a step out whose inputs have these types and shapes, in the order of the model's inputs.
  // An input with data stays where it is; the others are given room. Fails with kBadModel or
  // kResourceExhausted, and must then be called again before the layout is used.
  Status set_inputs(std::span<const ops::Tensor> inputs);

  // A node that runs in each step, with its inputs and outputs.
  struct Step {
    GraphNode* node = nullptr;
    std::vector<ops::Tensor> inputs;
    std::vector<ops::Tensor> outputs;
  };
  // In order; what they point to is valid until set_inputs().
  std::span<Step> steps() { return steps_; }

  const ops::Tensor& value(int place) const { return tensors_[static_cast<std::size_t>(place)]; }

  // Lets the step that makes this value write it to the caller's memory instead; false where other
  // steps read it or none makes it, so that it must be copied from value().
  bool place_output(int place, float* data);

 private:
  // When a value is known: always, with the inputs' shapes, or by computing.
  enum class Known { kConstant, kShapes, kStep };

  Layout() = default;
  Known known(const GraphNode& node) const;
  Status add_node(GraphNode* node);
  Status evaluate(GraphNode* node);
  Status infer(GraphNode* node);
  void find_last_readers();
  Status assign_memory();
  ops::Tensor tensor_at(int place) const;

  GraphModel* model_ = nullptr;
  std::vector<ops::Tensor> tensors_;  // of each value
  std::vector<Known> when_;           // of each value
  std::vector<int> root_;             // of each value: whose bytes it shares, often its own
  std::vector<int> last_reader_;      // of each value that is a root: a step; -1: nobody
  std::vector<std::size_t> offsets_;  // of each value that is a root: in memory_
  std::vector<bool> has_room_;        // of each value: lies in memory_
  std::vector<std::vector<std::byte>> bytes_;  // of each value that shapes or constants decide
  std::vector<GraphNode*> nodes_;              // those that constants alone do not decide
  std::vector<Step> steps_;
  std::vector<ops::Tensor> scratch_inputs_;
  std::vector<ops::Tensor> scratch_outputs_;
  StepMemory memory_;
};

}  // namespace quire::graph
