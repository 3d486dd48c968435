#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runner/graph/graph_model.h"
#include "runner/graph/layout.h"

namespace quire::graph {
namespace {

using onnx::OnnxAttribute;
using onnx::OnnxGraph;
using onnx::OnnxNode;
using onnx::OnnxTensor;

constexpr int kFloat = 1;
constexpr int kInt64 = 7;

OnnxNode node(std::string op, std::vector<std::string> inputs, std::string output) {
  OnnxNode made{.name = "n." + output, .op_type = std::move(op)};
  made.inputs = std::move(inputs);
  made.outputs = {std::move(output)};
  return made;
}

OnnxTensor integers(std::string name, const std::vector<std::int64_t>& values) {
  OnnxTensor tensor{.name = std::move(name), .data_type = kInt64};
  tensor.dims = {static_cast<std::int64_t>(values.size())};
  const auto* begin = reinterpret_cast<const std::byte*>(values.data());
  tensor.data.assign(begin, begin + values.size() * sizeof(std::int64_t));
  return tensor;
}

// A graph of one float input x that gives out y.
OnnxGraph graph_of(std::vector<OnnxNode> nodes, std::vector<OnnxTensor> initializers = {}) {
  OnnxGraph graph;
  graph.inputs = {{.name = "x", .data_type = kFloat}};
  graph.outputs = {{.name = "y", .data_type = kFloat}};
  graph.nodes = std::move(nodes);
  graph.initializers = std::move(initializers);
  return graph;
}

// Opens the graph and lays a step out whose x has this shape.
Status open(const OnnxGraph& graph, const ops::Shape& x) {
  ops::Environment environment;
  QUIRE_ASSIGN(auto model, build_graph_model(graph, "hostile.onnx", &environment));
  QUIRE_ASSIGN(auto layout, Layout::plan(&model));
  const ops::Tensor input = {.present = true, .type = ops::ElementType::kFloat32, .shape = x};
  return layout.set_inputs({&input, 1});
}

void expect_refused(const OnnxGraph& graph, const char* words, const ops::Shape& x = {2, 3}) {
  const Status status = open(graph, x);
  EXPECT_NE(status.message().find(words), std::string::npos)
      << (status.ok() ? "it was taken" : status.message());
  EXPECT_FALSE(status.ok());
}

TEST(HostileGraphTest, AValueThatIsUsedBeforeItIsMadeIsRefused) {
  expect_refused(graph_of({node("Neg", {"later"}, "y"), node("Neg", {"x"}, "later")}),
                 "the value later is used before it is made");
}

TEST(HostileGraphTest, ANodeThatEatsItsOwnOutputIsRefused) {
  expect_refused(graph_of({node("Add", {"x", "y"}, "y")}), "the value y is used before it is made");
}

TEST(HostileGraphTest, AValueThatIsMadeTwiceIsRefused) {
  expect_refused(graph_of({node("Neg", {"x"}, "y"), node("Neg", {"x"}, "y")}), "is made twice");
  expect_refused(graph_of({node("Neg", {"x"}, "x")}), "is made twice");
}

TEST(HostileGraphTest, AnOutputThatNothingMakesIsRefused) {
  expect_refused(graph_of({node("Neg", {"x"}, "z")}), "the value y is used before it is made");
}

TEST(HostileGraphTest, AShapeThatDependsOnWhatAStepComputesIsRefused) {
  expect_refused(graph_of({node("Reshape", {"x", "x"}, "y")}),
                 "a shape depends on values that a step computes");
}

TEST(HostileGraphTest, AStepLargerThanTheMachineIsRefusedBeforeItsMemoryIsTouched) {
  expect_refused(graph_of({node("Expand", {"x", "huge"}, "y")},
                          {integers("huge", {std::int64_t{1} << 36, 2, 3})}),
                 "MiB for its values");
}

TEST(HostileGraphTest, ValuesWhoseSizesAddUpPastEveryAddressAreRefused) {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 40; ++i) {
    nodes.push_back(node("Expand", {"x", "huge"}, "e" + std::to_string(i)));
  }
  for (int i = 0; i < 40; ++i) {
    const std::string last = i == 0 ? "x" : "s" + std::to_string(i - 1);
    nodes.push_back(node("Add", {last, "e" + std::to_string(i)}, "s" + std::to_string(i)));
  }
  nodes.push_back(node("Identity", {"s39"}, "y"));
  expect_refused(graph_of(std::move(nodes), {integers("huge", {std::int64_t{1} << 55, 2, 3})}),
                 "MiB for its values");
}

TEST(HostileGraphTest, AProductOfDimensionsThatWrapsIsRefused) {
  expect_refused(graph_of({node("Expand", {"x", "huge"}, "y")},
                          {integers("huge", {std::int64_t{1} << 62, 2, 3})}),
                 "the shape cannot be");
}

TEST(HostileGraphTest, AConstantThatFoldsToGigabytesIsRefused) {
  expect_refused(graph_of({node("Expand", {"one", "huge"}, "big"),
                           node("Gather", {"big", "one"}, "z"),
                           node("Neg", {"x"}, "y")},
                          {integers("one", {1}), integers("huge", {std::int64_t{1} << 30})}),
                 "that no step decides is too large");
}

TEST(HostileGraphTest, ShapesOfTooManyNumbersAreRefused) {
  expect_refused(graph_of({node("Reshape", {"x", "shape"}, "y")},
                          {integers("shape", std::vector<std::int64_t>(17, 1))}),
                 "the shape are too many");
  expect_refused(graph_of({node("Reshape", {"x", "shape"}, "y")},
                          {integers("shape", {1, 1, 1, 1, 1, 1, 1, 2, 3})}),
                 "cannot have the shape that is asked for");
}

TEST(HostileGraphTest, ANodeWithoutInputsOrOutputsIsRefused) {
  expect_refused(graph_of({node("Add", {}, "y")}), "it has 0 inputs");
  OnnxGraph graph = graph_of({node("Neg", {"x"}, "y")});
  graph.nodes[0].outputs.clear();
  expect_refused(graph, "it has no output");
}

TEST(HostileGraphTest, AnInputThatIsLeftOutWhereItIsNeededIsRefused) {
  expect_refused(graph_of({node("Neg", {""}, "y")}), "it takes float or int64");
  expect_refused(graph_of({node("Gather", {"x", ""}, "y")}), "its indices must be integers");
  expect_refused(graph_of({node("Reshape", {"x", ""}, "y")}), "the shape must be integers");
}

TEST(HostileGraphTest, AChainOfAHundredThousandNodesIsRefusedAtOnce) {
  std::vector<OnnxNode> nodes;
  std::string last = "x";
  for (int i = 0; i < 100'000; ++i) {
    const std::string next = "v" + std::to_string(i);
    nodes.push_back(node("Neg", {last}, next));
    last = next;
  }
  nodes.push_back(node("Neg", {last}, "y"));
  expect_refused(graph_of(std::move(nodes)), "at most 50000 nodes");
}

TEST(HostileGraphTest, AGraphOfManyLiveValuesOpens) {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 2'000; ++i) nodes.push_back(node("Neg", {"x"}, "v" + std::to_string(i)));
  std::string last = "x";
  for (int i = 0; i < 2'000; ++i) {
    nodes.push_back(node("Add", {last, "v" + std::to_string(i)}, "s" + std::to_string(i)));
    last = "s" + std::to_string(i);
  }
  nodes.push_back(node("Neg", {last}, "y"));
  const Status status = open(graph_of(std::move(nodes)), {2, 3});
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace quire::graph
