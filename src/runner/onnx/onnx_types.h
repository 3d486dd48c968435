#pragma once

#include <onnxruntime_cxx_api.h>

#include <optional>

#include "ops/tensor.h"

namespace quire::onnx {

// ONNX Runtime's element types in the operators' words; empty for those that no operator takes.
std::optional<ops::ElementType> element_type(ONNXTensorElementDataType type);

}  // namespace quire::onnx
