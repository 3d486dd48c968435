#include "runner/torch/plugin_loader.h"

#include <dlfcn.h>

#include <string>
#include <utility>

#include "runner/torch/plugin.h"

namespace quire::torch_backend {
namespace {

// The first line of what the dynamic linker has to say.
std::string linker_message() {
  const char* message = dlerror();
  const std::string text = message == nullptr ? "unknown cause" : message;
  return text.substr(0, text.find('\n'));
}

template <typename Function>
Function* find(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

// LibTorch cannot be unloaded: the handle is never closed.
Result<void*> load_plugin() {
  void* library = dlopen(kPluginLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return unimplemented(
        "TorchScript models need LibTorch, whose plug-in cannot be loaded: " + linker_message() +
        "; build it with -DQUIRE_WITH_TORCH=ON, or use a package with an ONNX graph");
  }
  auto* version = find<VersionFunction>(library, "quire_torch_version");
  if (version == nullptr || std::string(version()) != kPluginVersion) {
    return unimplemented(std::string(kPluginLibrary) + " is not of this version of quire (" +
                         kPluginVersion + "); build both together");
  }
  return library;
}

Status check_trust(const ModelPackage& package, bool trusted) {
  const Status status = check_file_sha256(package, kModelFile);
  if (status.ok() || trusted) return ok_status();
  return bad_model(status.message() +
                   "; TorchScript is a program: set option trust_torchscript only if you know who "
                   "made this file");
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_torch_runner(const ModelPackage& package,
                                                       const EngineOptions& options) {
  QUIRE_TRY(check_trust(package, options.trust_torchscript));
  QUIRE_ASSIGN(void* library, load_plugin());
  auto* open = find<OpenFunction>(library, "quire_torch_open");
  if (open == nullptr)
    return internal_error(std::string(kPluginLibrary) + " is damaged; install Quire again");
  OpenedRunner opened;
  open(package, options, &opened);
  if (!opened)
    return internal_error(std::string(kPluginLibrary) + " gave no answer; install Quire again");
  return std::move(*opened);
}

}  // namespace quire::torch_backend
