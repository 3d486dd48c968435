// Instead of plugin_loader.cc in a program that cannot open libraries.
#include "runner/torch/plugin_loader.h"

namespace quire::torch_backend {

Result<std::unique_ptr<ModelRunner>> open_torch_runner(const ModelPackage&, const EngineOptions&) {
  return unimplemented(
      "TorchScript models need LibTorch, which is not in this build: it is one static file; use a "
      "quire of scripts/build.sh release, or export the model as a paged package");
}

}  // namespace quire::torch_backend
