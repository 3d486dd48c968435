#pragma once

#include <optional>
#include <string>

#include "kernels/attention_call.h"
#include "kernels/kernel_table.h"
#include "package/model_package.h"
#include "quire/options.h"
#include "quire/result.h"

namespace quire {

// The element type that EngineOptions::kv_dtype `name` means for a package.
kernels::KvDtype choose_kv_dtype(const ModelPackage& package, const std::string& name);

// What EngineOptions::activation_bits means: nothing for "auto".
std::optional<kernels::ActivationBits> choose_activation_bits(const EngineOptions& options);

// Fails with kInvalidArgument where an option asks for a precision that nothing in the package has:
// of the cache or of Quire's own products in a graph that is not paged, or of activations where no
// weight has 4 or 8 bits.
Status check_precision(const ModelPackage& package, const EngineOptions& options);

}  // namespace quire
