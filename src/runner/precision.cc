#include "runner/precision.h"

namespace quire {

kernels::KvDtype choose_kv_dtype(const ModelPackage& package, const std::string& name) {
  if (name == "fp32") return kernels::KvDtype::kFloat32;
  if (name == "fp16") return kernels::KvDtype::kFloat16;
  if (name == "bf16") return kernels::KvDtype::kBfloat16;
  if (name == "int8") return kernels::KvDtype::kInt8;
  return package.quantization == "none" ? kernels::KvDtype::kFloat32 : kernels::KvDtype::kFloat16;
}

std::optional<kernels::ActivationBits> choose_activation_bits(const EngineOptions& options) {
  if (options.activation_bits == "8") return kernels::ActivationBits::k8;
  if (options.activation_bits == "16") return kernels::ActivationBits::k16;
  return std::nullopt;
}

Status check_precision(const ModelPackage& package, const EngineOptions& options) {
  const bool is_paged = package.graph == "paged";
  if (!is_paged && options.kv_dtype != "auto") {
    return invalid_argument(
        "option kv_dtype is for paged graphs; the cache of any other graph has the graph's own "
        "type");
  }
  if (options.activation_bits == "auto") return ok_status();
  if (!is_paged) {
    return invalid_argument(
        "option activation_bits is for paged graphs; any other graph says itself how it computes");
  }
  if (package.quantization == "none") {
    return invalid_argument(
        "option activation_bits is for weights of 4 and 8 bits; this package has none, leave it at "
        "auto");
  }
  return ok_status();
}

}  // namespace quire
