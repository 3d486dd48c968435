#include "runner/onnx/quire_ops_common.h"

#include <limits>

namespace quire::onnx {
namespace {

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

std::size_t element_bytes(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return 1;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return 2;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return 4;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return 8;
    default:
      return 0;
  }
}

// Whether the call worked; its error object is released either way.
bool succeeded(OrtStatus* status) {
  const bool ok = status == nullptr;
  if (!ok) Ort::GetApi().ReleaseStatus(status);
  return ok;
}

bool read_int(Ort::ConstKernelInfo info, const char* name, std::int64_t& value) {
  return succeeded(Ort::GetApi().KernelInfoGetAttribute_int64(info, name, &value));
}

bool read_float(Ort::ConstKernelInfo info, const char* name, float& value) {
  return succeeded(Ort::GetApi().KernelInfoGetAttribute_float(info, name, &value));
}

// The optional float16 tensor at `index` of [N, blocks].
Result<std::span<const std::uint16_t>> block_values(Ort::ConstKernelInfo info,
                                                    std::size_t index,
                                                    const char* name) {
  QUIRE_ASSIGN(const Ort::ConstValue value, constant_input(info, index));
  if (value == nullptr) return std::span<const std::uint16_t>();
  QUIRE_ASSIGN(const TensorView<std::byte> raw,
               raw_tensor(value, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, 2, name));
  return std::span(reinterpret_cast<const std::uint16_t*>(raw.data.data()), raw.data.size() / 2);
}

struct WeightFormat {
  kernels::WeightType type;
  ONNXTensorElementDataType element;
  int rank;
};

Result<WeightFormat> weight_format(std::int64_t bits, ONNXTensorElementDataType element) {
  using kernels::WeightType;
  if (bits == 4) return WeightFormat{WeightType::kInt4, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, 3};
  if (bits == 8) return WeightFormat{WeightType::kInt8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, 3};
  if (bits == 32) return WeightFormat{WeightType::kFloat32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, 2};
  if (bits != 16) {
    return bad_model("bits must be 4, 8, 16 or 32, not " + std::to_string(bits));
  }
  if (element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16) {
    return WeightFormat{WeightType::kFloat16, element, 2};
  }
  return WeightFormat{WeightType::kBfloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, 2};
}

}  // namespace

void OrtExecutor::parallel_for(std::int64_t n, kernels::FunctionRef<void(std::int64_t)> body) {
  const auto call = [](void* data, std::size_t i) {
    (*static_cast<kernels::FunctionRef<void(std::int64_t)>*>(data))(static_cast<std::int64_t>(i));
  };
  const auto total = static_cast<std::size_t>(n);
  context_.ParallelFor(call, total, total, &body);
}

Result<OpRun> OpRun::start(OpsState& state) {
  if (state.busy.test_and_set(std::memory_order_acquire)) {
    return internal_error("two runs overlap; sessions of one runner must run one at a time");
  }
  return OpRun(state);
}

OpRun::~OpRun() {
  if (state_ != nullptr) state_->busy.clear(std::memory_order_release);
}

std::optional<std::size_t> element_count(std::span<const std::int64_t> shape) {
  std::size_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(dimension);
    if (size != 0 && count > (std::numeric_limits<std::size_t>::max() >> 4U) / size) {
      return std::nullopt;
    }
    count *= size;
  }
  return count;
}

Result<TensorView<std::byte>> raw_tensor(Ort::ConstValue value,
                                         ONNXTensorElementDataType type,
                                         int rank,
                                         const std::string& name) {
  if (value == nullptr || !value.IsTensor()) return bad_model(name + " is missing");
  const auto info = value.GetTensorTypeAndShapeInfo();
  if (info.GetElementType() != type) {
    return bad_model(name + " has element type " + std::to_string(info.GetElementType()) +
                     " where ONNX type " + std::to_string(type) + " is wanted");
  }
  std::vector<std::int64_t> shape = info.GetShape();
  const std::optional<std::size_t> count = element_count(shape);
  if (!count || (rank >= 0 && shape.size() != static_cast<std::size_t>(rank))) {
    return bad_model(name + " has shape " + shape_text(shape) + " where rank " +
                     std::to_string(rank) + " is wanted");
  }
  const auto memory = value.GetTensorMemoryInfo();
  if (memory.GetDeviceType() != OrtMemoryInfoDeviceType_CPU) {
    return internal_error(name + " is not in CPU memory");
  }
  const auto* data = static_cast<const std::byte*>(value.GetTensorRawData());
  return TensorView<std::byte>{std::move(shape), std::span(data, *count * element_bytes(type))};
}

Result<std::int64_t> required_int(Ort::ConstKernelInfo info, const char* name) {
  std::int64_t value = 0;
  if (read_int(info, name, value)) return value;
  return bad_model("attribute " + std::string(name) + " is missing or not an integer");
}

Result<std::int64_t> optional_int(Ort::ConstKernelInfo info,
                                  const char* name,
                                  std::int64_t otherwise) {
  std::int64_t value = otherwise;
  float wrong_kind = 0;
  if (read_int(info, name, value)) return value;
  if (!read_float(info, name, wrong_kind)) return otherwise;
  return bad_model("attribute " + std::string(name) + " must be an integer");
}

Result<float> optional_float(Ort::ConstKernelInfo info, const char* name, float otherwise) {
  float value = otherwise;
  std::int64_t wrong_kind = 0;
  if (read_float(info, name, value)) return value;
  if (!read_int(info, name, wrong_kind)) return otherwise;
  return bad_model("attribute " + std::string(name) + " must be a float");
}

Result<std::string> required_string(Ort::ConstKernelInfo info, const char* name) {
  const OrtApi& api = Ort::GetApi();
  std::size_t size = 0;  // with the zero at the end
  std::string value;
  if (succeeded(api.KernelInfoGetAttribute_string(info, name, nullptr, &size)) && size > 0) {
    value.resize(size);
    if (succeeded(api.KernelInfoGetAttribute_string(info, name, value.data(), &size))) {
      value.resize(size - 1);
      return value;
    }
  }
  return bad_model("attribute " + std::string(name) + " is missing or not a string");
}

std::string input_name(Ort::ConstKernelInfo info, std::size_t index) {
  return index < info.GetInputCount() ? info.GetInputName(index) : std::string();
}

Result<Ort::ConstValue> constant_input(Ort::ConstKernelInfo info, std::size_t index) {
  const std::string name = input_name(info, index);
  if (name.empty()) return Ort::ConstValue();
  int is_constant = 0;
  const Ort::ConstValue value = info.GetTensorConstantInput(index, &is_constant);
  if (is_constant == 0 || value == nullptr) {
    return bad_model("input " + name + " must be an initializer of the graph");
  }
  return value;
}

Result<kernels::WeightView> constant_weights(Ort::ConstKernelInfo info) {
  QUIRE_ASSIGN(const std::int64_t bits, required_int(info, "bits"));
  QUIRE_ASSIGN(const std::int64_t block, optional_int(info, "block_size", kernels::kQuantBlock));
  if (bits <= 8 && block != kernels::kQuantBlock) {
    return bad_model("block_size must be 32, not " + std::to_string(block));
  }
  kernels::WeightView weights;
  QUIRE_ASSIGN(weights.k, required_int(info, "K"));
  QUIRE_ASSIGN(weights.n, required_int(info, "N"));
  QUIRE_ASSIGN(const Ort::ConstValue value, constant_input(info, 1));
  if (value == nullptr) return bad_model("the weight is missing");
  const auto element = value.GetTensorTypeAndShapeInfo().GetElementType();
  QUIRE_ASSIGN(const WeightFormat format, weight_format(bits, element));
  weights.type = format.type;
  QUIRE_ASSIGN(const TensorView<std::byte> raw,
               raw_tensor(value, format.element, format.rank, input_name(info, 1)));
  weights.weight = raw.data;
  QUIRE_ASSIGN(weights.scale, block_values(info, 2, "scale"));
  QUIRE_ASSIGN(weights.min, block_values(info, 3, "min"));
  QUIRE_TRY(kernels::check_weights(weights).with_context(input_name(info, 1)));
  if (raw.shape[0] != weights.n) {
    return bad_model(input_name(info, 1) + " has shape " + shape_text(raw.shape) +
                     " whose first dimension is not N = " + std::to_string(weights.n));
  }
  return weights;
}

}  // namespace quire::onnx
