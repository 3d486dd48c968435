#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/executor.h"
#include "runner/graph/graph_model.h"
#include "runner/graph/layout.h"
#include "support/op_refusals.h"

namespace quire {
namespace {

using test_support::OpCase;
using test_support::OpInput;

int onnx_type(ops::ElementType type) {
  using onnx::DataType;
  switch (type) {
    case ops::ElementType::kFloat32:
      return static_cast<int>(DataType::kFloat);
    case ops::ElementType::kFloat16:
      return static_cast<int>(DataType::kFloat16);
    case ops::ElementType::kInt8:
      return static_cast<int>(DataType::kInt8);
    case ops::ElementType::kUint8:
      return static_cast<int>(DataType::kUint8);
    case ops::ElementType::kInt32:
      return static_cast<int>(DataType::kInt32);
    default:
      return static_cast<int>(DataType::kInt64);
  }
}

// A case as a graph of one node for the own executor.
struct OneNode {
  onnx::OnnxGraph graph;
  std::vector<ops::Tensor> inputs;  // of the graph
  std::vector<std::vector<std::byte>> memory;
  std::vector<std::byte> foreign;
};

OneNode one_node(const OpCase& c, ops::Environment* environment) {
  OneNode made;
  onnx::OnnxNode node{.name = "the node", .domain = "quire", .op_type = c.op};
  node.outputs = {"y"};
  for (const auto& [name, value] : c.attributes) {
    onnx::OnnxAttribute attribute{.name = name};
    std::visit([&](const auto& v) { attribute.value = v; }, value);
    node.attributes.push_back(std::move(attribute));
  }
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const OpInput& input = c.inputs[i];
    const std::string name = "input." + std::to_string(i);
    node.inputs.push_back(input.present ? name : "");
    if (!input.present) continue;
    made.memory.push_back(bytes_of(input));
    if (input.is_constant) {
      auto data = made.memory.back();
      data.resize(ops::Shape::of(input.dims)->num_elements() * ops::element_bytes(input.type));
      made.graph.initializers.push_back(
          {.name = name, .data_type = onnx_type(input.type), .dims = input.dims, .data = data});
      continue;
    }
    const std::byte* data = made.memory.back().data();
    if (is_cache(c, i)) {
      environment->pools[name] = {.data = data, .num_blocks = test_support::kCaseBlocks};
      if (c.foreign_cache) made.foreign = made.memory.back();
      if (c.foreign_cache) data = made.foreign.data();
    }
    made.graph.inputs.push_back(
        {.name = name, .data_type = onnx_type(input.type), .shape = input.dims});
    made.inputs.push_back(
        {.present = true, .type = input.type, .shape = *ops::Shape::of(input.dims), .data = data});
  }
  made.graph.outputs = {{.name = "y", .data_type = 1}};
  made.graph.nodes.push_back(std::move(node));
  return made;
}

Status run_in_executor(const OpCase& c) {
  ops::Environment environment;
  environment.block_size = test_support::kCaseBlockSize;
  OneNode node = one_node(c, &environment);
  QUIRE_ASSIGN(auto model, graph::build_graph_model(node.graph, "one.onnx", &environment));
  QUIRE_ASSIGN(auto layout, graph::Layout::plan(&model));
  QUIRE_TRY(layout.set_inputs(node.inputs));
  kernels::SerialExecutor executor;
  for (auto& step : layout.steps()) {
    QUIRE_TRY(step.node->op->run(executor, step.inputs, step.outputs));
  }
  return ok_status();
}

TEST(OpRefusalTest, TheOwnExecutorRunsTheGoodNodes) {
  for (const OpCase& c : test_support::good_op_cases()) {
    EXPECT_EQ(run_in_executor(c).message(), "") << c.name;
  }
}

TEST(OpRefusalTest, TheOwnExecutorRefusesEveryWrongNodeWithItsCause) {
  for (const OpCase& c : test_support::bad_op_cases()) {
    const Status status = run_in_executor(c);
    EXPECT_NE(status.message().find(c.words), std::string::npos)
        << c.name << ": " << (status.ok() ? "it ran" : status.message());
    EXPECT_FALSE(status.ok()) << c.name;
  }
}

TEST(OpRefusalTest, TheOwnExecutorRefusesAnAttributeThatNoOperatorHas) {
  OpCase c = test_support::good_op_cases()[0];
  c.attributes["secret"] = std::int64_t{1};
  EXPECT_NE(run_in_executor(c).message().find("attribute secret is not known"), std::string::npos);
}

}  // namespace
}  // namespace quire
