// Answers the oracle test: reads a JSON object a line, {"model": path, "inputs": [{"type", "shape",
// "data"}]}, runs the graph in the own executor, and prints {"outputs": [...]} or {"error": text}.
// Floats travel as the integers of their bits.
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/thread_pool.h"
#include "onnx_file/onnx_graph.h"
#include "onnx_file/onnx_inspect.h"
#include "runner/graph/graph_model.h"
#include "runner/graph/layout.h"

namespace {

using nlohmann::json;
using quire::Result;
using quire::Status;
using quire::ops::ElementType;
using quire::ops::Tensor;

// Elements as integers: bits of a float, 0 or 1 of a bool.
template <typename T>
std::vector<std::byte> pack(const json& data) {
  std::vector<std::byte> bytes;
  for (const json& item : data) {
    const auto value = static_cast<T>(item.get<std::int64_t>());
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof(T));
  }
  return bytes;
}

template <typename T>
json unpack(const Tensor& tensor) {
  json data = json::array();
  for (const T value : tensor.elements<T>()) data.push_back(static_cast<std::int64_t>(value));
  return data;
}

ElementType type_of(const std::string& name) {
  for (const auto type : {ElementType::kFloat32, ElementType::kInt64, ElementType::kInt32}) {
    if (quire::ops::element_name(type) == name) return type;
  }
  return ElementType::kBool;
}

struct Input {
  std::vector<std::byte> bytes;
  Tensor tensor;
};

Input read_input(const json& item) {
  Input input;
  const ElementType type = type_of(item["type"]);
  const json& data = item["data"];
  switch (quire::ops::element_bytes(type)) {
    case 1:
      input.bytes = pack<std::uint8_t>(data);
      break;
    case 4:
      input.bytes = pack<std::uint32_t>(data);
      break;
    default:
      input.bytes = pack<std::int64_t>(data);
      break;
  }
  input.bytes.push_back({});  // so that an empty tensor has an address too
  const auto dims = item["shape"].get<std::vector<std::int64_t>>();
  input.tensor = {.present = true, .type = type, .shape = *quire::ops::Shape::of(dims)};
  return input;
}

json write_output(const Tensor& tensor) {
  json output = {{"type", quire::ops::element_name(tensor.type)}, {"shape", tensor.shape.dims()}};
  switch (tensor.type) {
    case ElementType::kFloat32:
      output["data"] = unpack<std::uint32_t>(tensor);
      break;
    case ElementType::kInt64:
      output["data"] = unpack<std::int64_t>(tensor);
      break;
    case ElementType::kInt32:
      output["data"] = unpack<std::int32_t>(tensor);
      break;
    default:
      output["data"] = unpack<std::uint8_t>(tensor);
      break;
  }
  return output;
}

Result<json> answer(const json& request, quire::kernels::ThreadPool* threads) {
  const std::string path = request["model"];
  QUIRE_TRY(quire::onnx::inspect_onnx(path));
  QUIRE_ASSIGN(const auto graph, quire::onnx::read_onnx_graph(path));
  quire::ops::Environment environment;
  QUIRE_ASSIGN(auto model, quire::graph::build_graph_model(graph, path, &environment));
  QUIRE_ASSIGN(auto layout, quire::graph::Layout::plan(&model));
  std::vector<Input> inputs;
  for (const json& item : request["inputs"]) inputs.push_back(read_input(item));
  std::vector<Tensor> tensors;
  for (Input& input : inputs) {
    tensors.push_back(input.tensor);
    tensors.back().data = input.bytes.data();
  }
  QUIRE_TRY(layout.set_inputs(tensors));
  for (auto& step : layout.steps()) {
    QUIRE_TRY(step.node->op->run(*threads, step.inputs, step.outputs));
  }
  json outputs = json::array();
  for (const int output : model.outputs) outputs.push_back(write_output(layout.value(output)));
  return json{{"outputs", outputs}};
}

}  // namespace

int main() {
  quire::kernels::ThreadPool threads(2);
  std::string line;
  while (std::getline(std::cin, line)) {
    const Result<json> result = answer(json::parse(line), &threads);
    std::cout << (result ? *result : json{{"error", result.error().message()}}).dump() << std::endl;
  }
  return 0;
}
