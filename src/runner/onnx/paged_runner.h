#pragma once

#include <memory>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"

namespace quire::onnx {

// A runner for paged graphs (docs/model_package.md). The paged cache is memory of the runner's that
// the graph's attention operators write in place; session, threads and cache go with the runner.
// Fails like open_onnx_runner().
Result<std::unique_ptr<ModelRunner>> open_paged_runner(const ModelPackage& package,
                                                       const EngineOptions& options);

}  // namespace quire::onnx
