#pragma once

#include <memory>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"

namespace quire::torch_backend {

// The TorchScript file of a package.
inline constexpr const char* kModelFile = "model.pt";

// Opens a package's model.pt with LibTorch, which is in a plug-in library that the first call loads
// for the rest of the process. TorchScript is a program: a file that is not the one model_info.json
// names by its SHA-256 is refused unless the options trust it. Fails with kUnimplemented where the
// plug-in is missing, kBadModel on a file that cannot be used, kInvalidArgument on an option,
// kResourceExhausted on too little memory.
Result<std::unique_ptr<ModelRunner>> open_torch_runner(const ModelPackage& package,
                                                       const EngineOptions& options);

}  // namespace quire::torch_backend
