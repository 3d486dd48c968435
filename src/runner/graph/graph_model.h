#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/system_memory.h"
#include "kernels/workspace.h"
#include "ops/operator.h"
#include "runner/graph/graph_operator.h"

namespace quire::graph {

// A value that nodes pass on: an input of the graph, a constant, or what a node computes.
struct GraphValue {
  enum class Source { kInput, kConstant, kComputed };
  std::string name;
  Source source = Source::kComputed;
  ops::Tensor tensor = {};  // of a constant all of it, of an input its type
};

constexpr int kLeftOut = -1;  // an optional input that is not there

struct GraphNode {
  std::string name;          // as messages call it
  std::vector<int> inputs;   // values, or kLeftOut
  std::vector<int> outputs;  // values
  std::unique_ptr<GraphOperator> op;
};

// A graph with its operators made and its weights packed, in the order in which it runs. Values are
// numbered by their places in `values`. Movable.
struct GraphModel {
  std::vector<GraphValue> values;
  std::vector<GraphNode> nodes;
  std::vector<int> inputs;  // in the file's order
  std::vector<int> outputs;

  // What the constants' tensors point to, and the packed weights.
  std::vector<kernels::AlignedBuffer> constants;
  std::unique_ptr<MemoryRegion> weights;
};

// Builds the model of a graph whose file is at `model_file`: outside weights are mapped, packed or
// copied, and let go. `environment` must outlive the model. Fails with kBadModel, naming the node,
// or kResourceExhausted.
Result<GraphModel> build_graph_model(const onnx::OnnxGraph& graph,
                                     const std::filesystem::path& model_file,
                                     ops::Environment* environment);

}  // namespace quire::graph
