#include "runner/onnx/onnx_session.h"

#include <onnxruntime_session_options_config_keys.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "onnx_file/onnx_inspect.h"
#include "runner/onnx/onnx_library.h"

namespace quire::onnx {
namespace {

// ONNX Runtime's messages name the cause in their first line; what follows says where in its
// source.
std::string first_line(const std::string& message) {
  return message.substr(0, std::min<std::size_t>(message.find('\n'), 500));
}

TensorInfo describe(std::string name, const Ort::TypeInfo& info) {
  TensorInfo tensor{.name = std::move(name)};
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) return tensor;
  const auto type_and_shape = info.GetTensorTypeAndShapeInfo();
  tensor.type = type_and_shape.GetElementType();
  tensor.shape = type_and_shape.GetShape();
  return tensor;
}

// ONNX Runtime has no code of its own for it.
bool is_out_of_memory(const std::string& message) {
  return message.find("Available memory of") != std::string::npos ||
         message.find("Failed to allocate memory") != std::string::npos ||
         message.find("bad_alloc") != std::string::npos;
}

const TensorInfo* find(const std::vector<TensorInfo>& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TensorInfo::name);
  return found == tensors.end() ? nullptr : &*found;
}

}  // namespace

OnnxSession::OnnxSession() : environment_(OnnxEnvironment::shared()) {}

Ort::Value tensor_over(const void* data,
                       std::size_t num_bytes,
                       std::span<const std::int64_t> shape,
                       ONNXTensorElementDataType type) {
  static const Ort::MemoryInfo memory =
      Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  return Ort::Value::CreateTensor(
      memory, const_cast<void*>(data), num_bytes, shape.data(), shape.size(), type);
}

Result<std::unique_ptr<OnnxSession>> OnnxSession::open(const std::filesystem::path& model_file,
                                                       int num_threads,
                                                       QuireOps* ops) {
  QUIRE_TRY(inspect_onnx(model_file));
  QUIRE_TRY(load_onnxruntime());
  try {
    std::unique_ptr<OnnxSession> session(new OnnxSession);
    QUIRE_TRY(session->start(model_file, num_threads, ops));
    return session;
  } catch (const Ort::Exception& error) {
    return bad_model(model_file.string() + " cannot be used: " + first_line(error.what()));
  } catch (const std::bad_alloc&) {
    return resource_exhausted("not enough memory to load " + model_file.string());
  }
}

Status OnnxSession::start(const std::filesystem::path& model_file, int num_threads, QuireOps* ops) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(num_threads);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  options.DisableMemPattern();  // sizes change from step to step
  options.AddConfigEntry(kOrtSessionOptionsConfigUseEnvAllocators, "1");  // the bounded one
  if (ops != nullptr) QUIRE_TRY(ops->add_to(options));
  session_ = std::make_unique<Ort::Session>(environment_->env(), model_file.c_str(), options);
  const Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session_->GetInputCount(); ++i) {
    inputs_.push_back(describe(session_->GetInputNameAllocated(i, allocator).get(),
                               session_->GetInputTypeInfo(i)));
  }
  for (std::size_t i = 0; i < session_->GetOutputCount(); ++i) {
    outputs_.push_back(describe(session_->GetOutputNameAllocated(i, allocator).get(),
                                session_->GetOutputTypeInfo(i)));
  }
  return ok_status();
}

const TensorInfo* OnnxSession::find_input(std::string_view name) const {
  return find(inputs_, name);
}

const TensorInfo* OnnxSession::find_output(std::string_view name) const {
  return find(outputs_, name);
}

Status OnnxSession::run(std::span<const char* const> input_names,
                        std::span<const Ort::Value> inputs,
                        std::span<const char* const> output_names,
                        std::span<Ort::Value> outputs) {
  try {
    session_->Run(Ort::RunOptions(nullptr),
                  input_names.data(),
                  inputs.data(),
                  inputs.size(),
                  output_names.data(),
                  outputs.data(),
                  outputs.size());
    return ok_status();
  } catch (const Ort::Exception& error) {
    if (is_out_of_memory(error.what())) {
      return resource_exhausted("not enough memory for a model step");
    }
    return internal_error("the model step failed: " + first_line(error.what()))
        .with_next_step("export the model again, or try another option backend");
  } catch (const std::bad_alloc&) {
    return resource_exhausted("not enough memory for a model step");
  }
}

}  // namespace quire::onnx
