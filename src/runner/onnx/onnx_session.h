#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quire/options.h"
#include "quire/result.h"
#include "runner/onnx/onnx_environment.h"
#include "runner/onnx/quire_ops.h"

namespace quire::onnx {

// An input or output of a graph. A free dimension is -1.
struct TensorInfo {
  std::string name;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::vector<std::int64_t> shape;
};

// A graph in ONNX Runtime, its threads, and what it takes and gives. The file is inspected before
// the runtime sees it. Exceptions of the runtime end here. Not thread-safe.
class OnnxSession {
 public:
  // `ops`, which may be null, must outlive the session. Fails with kBadModel or
  // kResourceExhausted.
  static Result<std::unique_ptr<OnnxSession>> open(const std::filesystem::path& model_file,
                                                   int num_threads,
                                                   QuireOps* ops);

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }
  // The input or output of that name, or null.
  const TensorInfo* find_input(std::string_view name) const;
  const TensorInfo* find_output(std::string_view name) const;

  // Computes the named outputs; one that is a null value is allocated by the runtime. Fails with
  // kInternal or kResourceExhausted.
  Status run(std::span<const char* const> input_names,
             std::span<const Ort::Value> inputs,
             std::span<const char* const> output_names,
             std::span<Ort::Value> outputs);

 private:
  OnnxSession();
  Status start(const std::filesystem::path& model_file, int num_threads, QuireOps* ops);

  std::shared_ptr<OnnxEnvironment> environment_;
  std::unique_ptr<Ort::Session> session_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
};

// A tensor over memory of the caller's, which must outlive it. ONNX Runtime takes inputs as mutable
// and does not write to them.
Ort::Value tensor_over(const void* data,
                       std::size_t num_bytes,
                       std::span<const std::int64_t> shape,
                       ONNXTensorElementDataType type);

template <typename T>
Ort::Value tensor_over(std::span<const T> data, std::initializer_list<std::int64_t> shape) {
  return tensor_over(data.data(),
                     data.size_bytes(),
                     std::span(shape.begin(), shape.size()),
                     Ort::TypeToTensorType<T>::type);
}

}  // namespace quire::onnx
