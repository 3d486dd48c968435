#pragma once

#include <memory>
#include <optional>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"

// The seam between the program and the plug-in library, which are built together: they share C++
// types, so a plug-in of another build is refused by its version.
namespace quire::torch_backend {

inline constexpr const char* kPluginLibrary = "libquire_torch.so";
inline constexpr const char* kPluginVersion = QUIRE_VERSION;

using OpenedRunner = std::optional<Result<std::unique_ptr<ModelRunner>>>;
using VersionFunction = const char*();
using OpenFunction = void(const ModelPackage&, const EngineOptions&, OpenedRunner*);

}  // namespace quire::torch_backend

extern "C" {
quire::torch_backend::VersionFunction quire_torch_version;
quire::torch_backend::OpenFunction quire_torch_open;
}
