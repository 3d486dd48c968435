#pragma once

#include <onnxruntime_cxx_api.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/kernel_context.h"
#include "kernels/linear.h"
#include "quire/result.h"
#include "runner/onnx/quire_ops.h"

// What the operators' source files share. Included by quire_ops*.cc only.
namespace quire::onnx {

// State of a QuireOps that its kernels refer to.
struct OpsState {
  QuireOpsConfig config;
  std::unordered_map<std::string, CachePool> pools;
  kernels::Workspace workspace;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  std::atomic<std::int64_t> weight_bytes = 0;
};

// ONNX Runtime's own thread pool, as seen from inside a kernel.
class OrtExecutor final : public kernels::Executor {
 public:
  OrtExecutor(const Ort::KernelContext& context, int num_threads)
      : context_(context), num_threads_(num_threads) {}

  int num_threads() const override { return num_threads_; }
  void parallel_for(std::int64_t n, kernels::FunctionRef<void(std::int64_t)> body) override;

 private:
  const Ort::KernelContext& context_;
  const int num_threads_;
};

// One operator's run: holds the shared scratch memory for as long as it lives.
class OpRun {
 public:
  // Fails with kInternal while another run holds the scratch memory.
  static Result<OpRun> start(OpsState& state);
  OpRun(OpRun&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  OpRun(const OpRun&) = delete;
  OpRun& operator=(const OpRun&) = delete;
  OpRun& operator=(OpRun&&) = delete;
  ~OpRun();

 private:
  explicit OpRun(OpsState& state) : state_(&state) {}

  OpsState* state_;
};

// A tensor as the operators want it: its shape, and its elements as a span.
template <typename T>
struct TensorView {
  std::vector<std::int64_t> shape;
  std::span<const T> data;
};

// How many elements a shape has; empty when a dimension is negative or the product overflows.
std::optional<std::size_t> element_count(std::span<const std::int64_t> shape);

// What tensor elements of type T are called by ONNX Runtime.
template <typename T>
constexpr ONNXTensorElementDataType element_type();
template <>
constexpr ONNXTensorElementDataType element_type<float>() {
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}
template <>
constexpr ONNXTensorElementDataType element_type<std::int32_t>() {
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
}
template <>
constexpr ONNXTensorElementDataType element_type<std::int64_t>() {
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
}
template <>
constexpr ONNXTensorElementDataType element_type<std::uint8_t>() {
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
}

// The bytes of a dense tensor on the CPU, checked against its type and rank (-1: any).
Result<TensorView<std::byte>> raw_tensor(Ort::ConstValue value,
                                         ONNXTensorElementDataType type,
                                         int rank,
                                         const std::string& name);

template <typename T>
Result<TensorView<T>> tensor(Ort::ConstValue value, int rank, const std::string& name) {
  QUIRE_ASSIGN(TensorView<std::byte> raw, raw_tensor(value, element_type<T>(), rank, name));
  const auto* data = reinterpret_cast<const T*>(raw.data.data());
  return TensorView<T>{std::move(raw.shape), std::span<const T>(data, raw.data.size() / sizeof(T))};
}

// Attributes of a node. Integers and floats are not mixed up: the wrong kind is an error.
Result<std::int64_t> required_int(Ort::ConstKernelInfo info, const char* name);
Result<std::int64_t> optional_int(Ort::ConstKernelInfo info,
                                  const char* name,
                                  std::int64_t otherwise);
Result<float> optional_float(Ort::ConstKernelInfo info, const char* name, float otherwise);
Result<std::string> required_string(Ort::ConstKernelInfo info, const char* name);

// The name of an input in the graph; empty when an optional input is left out.
std::string input_name(Ort::ConstKernelInfo info, std::size_t index);

// The initializer at `index`; a null value when it is left out. Fails with kBadModel when it is
// there and not constant.
Result<Ort::ConstValue> constant_input(Ort::ConstKernelInfo info, std::size_t index);

// The plain storage of the weights of a Linear or Embedding node, at inputs 1, 2 and 3, with all
// sizes checked. Refers to the session's initializers, which live as long as the session.
Result<kernels::WeightView> constant_weights(Ort::ConstKernelInfo info);

// Runs `body` (-> Status) and turns its failure, or an exception, into what ONNX Runtime expects.
template <typename Body>
OrtStatusPtr guarded(const char* op, const Body& body) noexcept {
  Status status;
  try {
    status = body();
  } catch (const std::exception& e) {  // Ort::Exception and std::bad_alloc
    status = internal_error(e.what());
  }
  if (status.ok()) return nullptr;
  const OrtErrorCode code =
      status.code() == StatusCode::kInvalidArgument ? ORT_INVALID_ARGUMENT : ORT_FAIL;
  return Ort::GetApi().CreateStatus(code, status.with_context(op).message().c_str());
}

struct InputSpec {
  ONNXTensorElementDataType type;
  bool optional = false;
};

// Adapts a kernel class to ONNX Runtime. Kernel has kName, kInputs, a static
// create(info, state) -> Result<std::unique_ptr<Kernel>> and run(Ort::KernelContext&) -> Status.
template <typename Kernel>
struct CustomOp : Ort::CustomOpBase<CustomOp<Kernel>, Kernel, true> {
  explicit CustomOp(OpsState& op_state) : state(op_state) {}

  // NOLINTBEGIN(readability-identifier-naming): the base class calls them by these names.
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return guarded(Kernel::kName, [&]() -> Status {
      QUIRE_ASSIGN(auto made, Kernel::create(Ort::ConstKernelInfo(info), state));
      *kernel = made.release();
      return ok_status();
    });
  }
  const char* GetName() const { return Kernel::kName; }
  std::size_t GetInputTypeCount() const { return std::size(Kernel::kInputs); }
  ONNXTensorElementDataType GetInputType(std::size_t i) const { return Kernel::kInputs[i].type; }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(std::size_t i) const {
    return Kernel::kInputs[i].optional ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  std::size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(std::size_t) const {
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  // NOLINTEND(readability-identifier-naming)

  OpsState& state;
};

// The kernels' common part.
template <typename Kernel>
class KernelBase {
 public:
  OrtStatusPtr ComputeV2(OrtKernelContext* context) {  // NOLINT(readability-identifier-naming)
    return guarded(Kernel::kName, [&]() -> Status {
      Ort::KernelContext wrapped(context);
      return static_cast<Kernel*>(this)->run(wrapped);
    });
  }

 private:
  KernelBase() = default;
  friend Kernel;
};

}  // namespace quire::onnx
