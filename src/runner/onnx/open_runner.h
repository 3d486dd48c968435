#pragma once

#include <memory>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"

namespace quire::onnx {

// Opens a package's model.onnx in one ONNX Runtime session for the life of the runner. The paged
// cache is memory of the runner's that the graph's attention operators write in place. The session,
// its threads and the cache go with the runner. Fails with kBadModel on a file that cannot be
// trusted or does not fit the package, kInvalidArgument on an option, kResourceExhausted on too
// little memory.
Result<std::unique_ptr<ModelRunner>> open_onnx_runner(const ModelPackage& package,
                                                      const EngineOptions& options);

}  // namespace quire::onnx
