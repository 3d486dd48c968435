#include <gtest/gtest.h>
#include <onnxruntime_cxx_api.h>

#include <cstddef>
#include <string>
#include <vector>

#include "runner/onnx/onnx_library.h"
#include "runner/onnx/quire_ops.h"
#include "support/op_refusals.h"

namespace quire::onnx {
namespace {

using test_support::OpCase;
using test_support::OpInput;

const bool kLoaded = load_onnxruntime().ok();

// A protobuf message as it grows; field numbers are those of onnx.proto.
class Message {
 public:
  Message& number(unsigned field, std::uint64_t value) {
    varint(field << 3U);
    varint(value);
    return *this;
  }
  Message& bytes(unsigned field, std::string_view value) {
    varint(field << 3U | 2U);
    varint(value.size());
    text_ += value;
    return *this;
  }
  Message& real(unsigned field, float value) {
    varint(field << 3U | 5U);
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Message& message(unsigned field, const Message& value) { return bytes(field, value.text_); }
  const std::string& text() const { return text_; }

 private:
  void varint(std::uint64_t value) {
    for (; value > 127; value >>= 7U) text_ += static_cast<char>(value | 128U);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

ONNXTensorElementDataType onnx_type(ops::ElementType type) {
  switch (type) {
    case ops::ElementType::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case ops::ElementType::kFloat16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case ops::ElementType::kInt8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case ops::ElementType::kUint8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case ops::ElementType::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    default:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
  }
}

Message attribute_of(const std::string& name, const ops::Attributes::Value& value) {
  Message attribute;
  attribute.bytes(1, name);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    attribute.number(3, static_cast<std::uint64_t>(*integer)).number(20, 2);
  } else if (const auto* real = std::get_if<float>(&value)) {
    attribute.real(2, *real).number(20, 1);
  } else {
    attribute.bytes(4, std::get<std::string>(value)).number(20, 3);
  }
  return attribute;
}

// A tensor's type without a shape: any.
Message value_info(const std::string& name, ONNXTensorElementDataType type) {
  return Message().bytes(1, name).message(
      2, Message().message(1, Message().number(1, static_cast<std::uint64_t>(type))));
}

std::string input_name(std::size_t i) { return "input." + std::to_string(i); }

// The case as an ONNX model of one node.
std::string model_of(const OpCase& c) {
  Message node;
  Message graph;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const OpInput& input = c.inputs[i];
    node.bytes(1, input.present ? input_name(i) : "");
  }
  node.bytes(2, "y").bytes(3, "the node").bytes(4, c.op).bytes(7, "quire");
  for (const auto& [name, value] : c.attributes) node.message(5, attribute_of(name, value));
  graph.message(1, node).bytes(2, "one");
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const OpInput& input = c.inputs[i];
    if (!input.present) continue;
    if (!input.is_constant) {
      graph.message(11, value_info(input_name(i), onnx_type(input.type)));
      continue;
    }
    Message tensor;
    for (const std::int64_t dim : input.dims) tensor.number(1, static_cast<std::uint64_t>(dim));
    std::vector<std::byte> data = bytes_of(input);
    data.resize(ops::Shape::of(input.dims)->num_elements() * ops::element_bytes(input.type));
    tensor.number(2, static_cast<std::uint64_t>(onnx_type(input.type)))
        .bytes(8, input_name(i))
        .bytes(9, {reinterpret_cast<const char*>(data.data()), data.size()});
    graph.message(5, tensor);
  }
  graph.message(12, value_info("y", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT));
  return Message()
      .number(1, 10)
      .message(7, graph)
      .message(8, Message().bytes(1, "").number(2, 20))
      .message(8, Message().bytes(1, "quire").number(2, 1))
      .text();
}

// What the adapter says, or what ONNX Runtime says where it never asks the adapter.
std::string run_in_onnxruntime(const OpCase& c) {
  QuireOps ops({.block_size = test_support::kCaseBlockSize});
  std::vector<std::vector<std::byte>> memory;
  memory.reserve(2 * c.inputs.size());
  std::unordered_map<std::string, ops::CachePool> pools;
  try {
    const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "test");
    Ort::SessionOptions options;
    if (const Status added = ops.add_to(options); !added.ok()) return added.message();
    const std::string model = model_of(c);
    Ort::Session session(env, model.data(), model.size(), options);
    const auto where = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<std::string> names;
    std::vector<Ort::Value> inputs;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const OpInput& input = c.inputs[i];
      if (!input.present || input.is_constant) continue;
      memory.push_back(bytes_of(input));
      if (is_cache(c, i)) pools[input_name(i)] = {memory.back().data(), test_support::kCaseBlocks};
      if (is_cache(c, i) && c.foreign_cache) memory.push_back(memory.back());
      names.push_back(input_name(i));
      inputs.push_back(Ort::Value::CreateTensor(where,
                                                memory.back().data(),
                                                memory.back().size(),
                                                input.dims.data(),
                                                input.dims.size(),
                                                onnx_type(input.type)));
    }
    ops.set_cache_pools(std::move(pools));
    std::vector<const char*> pointers;
    for (const std::string& name : names) pointers.push_back(name.c_str());
    const char* output = "y";
    session.Run({}, pointers.data(), inputs.data(), inputs.size(), &output, 1);
  } catch (const Ort::Exception& error) {
    const Status failure = ops.take_failure();
    return failure.ok() ? error.what() : failure.message();
  }
  return "";
}

TEST(OnnxRefusalTest, TheAdapterRunsTheGoodNodes) {
  for (const OpCase& c : test_support::good_op_cases()) {
    EXPECT_EQ(run_in_onnxruntime(c), "") << c.name;
  }
}

TEST(OnnxRefusalTest, TheAdapterRefusesEveryWrongNodeAsTheOwnExecutorDoes) {
  for (const OpCase& c : test_support::bad_op_cases()) {
    const std::string message = run_in_onnxruntime(c);
    // Element types that the schema rules out, the runtime refuses on its own.
    const bool by_schema = message.find("Type Error") != std::string::npos &&
                           c.words.find("element type") != std::string::npos;
    EXPECT_TRUE(by_schema || message.find(c.words) != std::string::npos)
        << c.name << ": " << (message.empty() ? "it ran" : message);
    EXPECT_NE(message, "") << c.name;
  }
}

}  // namespace
}  // namespace quire::onnx
