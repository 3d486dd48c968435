#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quire/result.h"

namespace quire::onnx {

// onnx.TensorProto.DataType, those that a graph of ours may hold.
enum class DataType : std::uint8_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kBfloat16 = 16
};

// A tensor that a graph holds: its bytes, little-endian and row-major, or where they lie.
struct OnnxTensor {
  std::string name;
  int data_type = 0;  // a DataType, or a number that is none of them
  std::vector<std::int64_t> dims;
  std::vector<std::byte> data;  // of a tensor inside the graph
  std::string location;         // of one outside: the file beside the model; else empty
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct OnnxAttribute {
  std::string name;
  std::variant<std::monostate,
               std::int64_t,
               float,
               std::string,
               std::vector<std::int64_t>,
               std::vector<float>,
               OnnxTensor>
      value;
};

struct OnnxNode {
  std::string name;
  std::string domain;
  std::string op_type;
  std::vector<std::string> inputs;  // an empty name: left out
  std::vector<std::string> outputs;
  std::vector<OnnxAttribute> attributes;
};

// An input or output of a graph; -1 is a free dimension.
struct OnnxValue {
  std::string name;
  int data_type = 0;
  std::vector<std::int64_t> shape;
};

// A model.onnx in memory, without its outside weights. A plain value.
struct OnnxGraph {
  std::vector<OnnxNode> nodes;  // each after those whose outputs it takes, as ONNX demands
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;
  std::vector<OnnxValue> outputs;
};

// Reads a file that inspect_onnx() has passed. Refuses (kBadModel) graphs in graphs, strings as
// tensors and whatever else the executor could not run, by name.
Result<OnnxGraph> read_onnx_graph(const std::filesystem::path& model_file);

// A TensorProto. Fails with kBadModel on damage and on more data than its shape says.
Result<OnnxTensor> read_onnx_tensor(std::string_view message);

}  // namespace quire::onnx
