#include "runner/onnx/quire_ops.h"

#include <onnxruntime_cxx_api.h>

#include <array>
#include <deque>
#include <span>
#include <utility>

#include "base/out_of_memory.h"
#include "runner/onnx/onnx_types.h"

namespace quire::onnx {
namespace {

constexpr std::size_t kMaxInputs = 11;

// What the custom operators of one QuireOps share.
struct State {
  ops::Environment environment;
  int num_threads = 1;
  Status failure;  // of the last operator that failed
};

// ONNX Runtime's own thread pool, as seen from inside a kernel.
class OrtExecutor final : public kernels::Executor {
 public:
  OrtExecutor(const Ort::KernelContext& context, int num_threads)
      : context_(context), num_threads_(num_threads) {}

  int num_threads() const override { return num_threads_; }
  void parallel_for(std::int64_t n, kernels::FunctionRef<void(std::int64_t)> body) override {
    const auto call = [](void* data, std::size_t i) {
      (*static_cast<kernels::FunctionRef<void(std::int64_t)>*>(data))(static_cast<std::int64_t>(i));
    };
    const auto total = static_cast<std::size_t>(n);
    context_.ParallelFor(call, total, total, &body);
  }

 private:
  const Ort::KernelContext& context_;
  const int num_threads_;
};

ONNXTensorElementDataType onnx_type(ops::InputSpec::Elements elements) {
  using Elements = ops::InputSpec::Elements;
  switch (elements) {
    case Elements::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case Elements::kFloat16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case Elements::kUint8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case Elements::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case Elements::kInt64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case Elements::kWeight:
      break;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;  // any
}

// A dense tensor on the CPU as the operators see it.
Result<ops::Tensor> tensor_of(Ort::ConstValue value, const std::string& name) {
  if (value == nullptr || !value.IsTensor()) return bad_model(name + " is missing");
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto type = element_type(info.GetElementType());
  if (!type) {
    return bad_model(name + " has element type " + std::to_string(info.GetElementType()) +
                     ", which no operator takes");
  }
  const std::vector<std::int64_t> dims = info.GetShape();
  const auto shape = ops::Shape::of(dims);
  if (!shape) return bad_model(name + " has too many or too large dimensions");
  if (value.GetTensorMemoryInfo().GetDeviceType() != OrtMemoryInfoDeviceType_CPU) {
    return internal_error(name + " is not in CPU memory");
  }
  return ops::Tensor{
      .present = true, .type = *type, .shape = *shape, .data = value.GetTensorRawData()};
}

// Whether the call worked; its error object is released either way.
bool succeeded(OrtStatus* status) {
  const bool ok = status == nullptr;
  if (!ok) Ort::GetApi().ReleaseStatus(status);
  return ok;
}

void read_attribute(Ort::ConstKernelInfo info, const std::string& name, ops::Attributes* out) {
  const OrtApi& api = Ort::GetApi();
  std::int64_t integer = 0;
  if (succeeded(api.KernelInfoGetAttribute_int64(info, name.c_str(), &integer))) {
    return out->set(name, integer);
  }
  float number = 0;
  if (succeeded(api.KernelInfoGetAttribute_float(info, name.c_str(), &number))) {
    return out->set(name, number);
  }
  std::size_t size = 0;  // with the zero at the end
  if (!succeeded(api.KernelInfoGetAttribute_string(info, name.c_str(), nullptr, &size)) ||
      size == 0) {
    return;
  }
  std::string text(size, '\0');
  if (!succeeded(api.KernelInfoGetAttribute_string(info, name.c_str(), text.data(), &size))) return;
  text.resize(size - 1);
  out->set(name, std::move(text));
}

Result<ops::Node> read_node(const ops::OperatorSpec& spec, Ort::ConstKernelInfo info) {
  ops::Node node;
  for (const std::string_view name : spec.attributes) {
    read_attribute(info, std::string(name), &node.attributes);
  }
  for (std::size_t i = 0; i < info.GetInputCount(); ++i) {
    ops::NodeInput input{.name = info.GetInputName(i)};
    input.present = !input.name.empty();
    int is_constant = 0;
    if (input.present) {
      const Ort::ConstValue value = info.GetTensorConstantInput(i, &is_constant);
      if (is_constant != 0 && value != nullptr) {
        QUIRE_ASSIGN(input.constant, tensor_of(value, input.name));
      }
    }
    node.inputs.push_back(std::move(input));
  }
  return node;
}

// Runs `body` (-> Status), keeps its failure, and tells the runtime of it.
template <typename Body>
OrtStatusPtr guarded(State* state, std::string_view op, const Body& body) noexcept {
  Status status;
  try {
    status = fail_if_out_of_memory(body);
  } catch (const std::exception& e) {  // Ort::Exception
    status = internal_error(e.what());
  }
  if (status.ok()) return nullptr;
  state->failure = status.with_context(op);
  const OrtErrorCode code =
      status.code() == StatusCode::kInvalidArgument ? ORT_INVALID_ARGUMENT : ORT_FAIL;
  return Ort::GetApi().CreateStatus(code, state->failure.message().c_str());
}

// One node of a session.
class Kernel {
 public:
  Kernel(State* state,
         const ops::OperatorSpec* spec,
         ops::Node node,
         std::unique_ptr<ops::Operator> op)
      : state_(state), spec_(spec), node_(std::move(node)), op_(std::move(op)) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* context) {  // NOLINT(readability-identifier-naming)
    return guarded(state_, spec_->name, [&]() -> Status {
      Ort::KernelContext wrapped(context);
      return run(wrapped);
    });
  }

 private:
  Status run(Ort::KernelContext& context) {
    std::array<ops::Tensor, kMaxInputs> inputs;
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      const ops::NodeInput& input = node_.inputs[i];
      if (!input.present) continue;
      QUIRE_ASSIGN(inputs[i], tensor_of(context.GetInput(i), input.name));
    }
    const auto used = std::span<const ops::Tensor>(inputs).first(spec_->inputs.size());
    QUIRE_ASSIGN(const ops::Shape shape, op_->output_shape(used));
    auto output = context.GetOutput(0, shape.dims().data(), shape.rank());
    OrtExecutor executor(context, state_->num_threads);
    return ops::run_alone(&state_->environment,
                          op_.get(),
                          executor,
                          used,
                          {output.GetTensorMutableData<float>(), shape.num_elements()});
  }

  State* state_;
  const ops::OperatorSpec* spec_;
  ops::Node node_;
  std::unique_ptr<ops::Operator> op_;
};

// An entry of the operators' table in the form that ONNX Runtime takes.
struct CustomOp : Ort::CustomOpBase<CustomOp, Kernel, true> {
  CustomOp(State* op_state, const ops::OperatorSpec* op_spec) : state(op_state), spec(op_spec) {}

  // NOLINTBEGIN(readability-identifier-naming): the base class calls them by these names.
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return guarded(state, spec->name, [&]() -> Status {
      QUIRE_ASSIGN(ops::Node node, read_node(*spec, Ort::ConstKernelInfo(info)));
      QUIRE_ASSIGN(auto op, spec->make(node, &state->environment));
      *kernel = new Kernel(state, spec, std::move(node), std::move(op));
      return ok_status();
    });
  }
  const char* GetName() const { return spec->name.data(); }
  std::size_t GetInputTypeCount() const { return spec->inputs.size(); }
  ONNXTensorElementDataType GetInputType(std::size_t i) const {
    return onnx_type(spec->inputs[i].elements);
  }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(std::size_t i) const {
    return spec->inputs[i].optional ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  std::size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(std::size_t) const {
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  // NOLINTEND(readability-identifier-naming)

  State* state;
  const ops::OperatorSpec* spec;
};

}  // namespace

struct QuireOps::Impl {
  explicit Impl(const QuireOpsConfig& config) {
    state.environment.isa = config.isa;
    state.environment.block_size = config.block_size;
    state.environment.kv_dtype = config.kv_dtype;
    state.environment.activation_bits = config.activation_bits;
    state.num_threads = config.num_threads;
    for (const ops::OperatorSpec& spec : ops::operator_table())
      operators.emplace_back(&state, &spec);
  }

  State state;
  std::deque<CustomOp> operators;
  Ort::CustomOpDomain domain{"quire"};
};

QuireOps::QuireOps(const QuireOpsConfig& config) : impl_(std::make_unique<Impl>(config)) {}

QuireOps::~QuireOps() = default;

Status QuireOps::add_to(OrtSessionOptions* options) {
  try {
    for (const CustomOp& op : impl_->operators) impl_->domain.Add(&op);
    Ort::ThrowOnError(Ort::GetApi().AddCustomOpDomain(options, impl_->domain));
  } catch (const std::exception& e) {
    return internal_error("the operators could not be registered: " + std::string(e.what()));
  }
  return ok_status();
}

void QuireOps::set_cache_pools(std::unordered_map<std::string, ops::CachePool> pools) {
  impl_->state.environment.pools = std::move(pools);
}

Status QuireOps::take_failure() { return std::exchange(impl_->state.failure, ok_status()); }

std::int64_t QuireOps::weight_bytes() const { return impl_->state.environment.weight_bytes; }

}  // namespace quire::onnx
