#include "runner/onnx/onnx_library.h"

#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>

#include <cstdlib>
#include <string>

namespace quire::onnx {
namespace {

constexpr const char* kLibrary = "libonnxruntime.so.1";

// The runtime's wheel reports to its maker, and keeps a device id and a database in the user's home
// for it, unless this variable says no when the first environment is made (docs/adr/0011).
void forbid_telemetry() { setenv("ORT_DISABLE_TELEMETRY", "1", /*overwrite=*/1); }

std::string linker_message() {
  const char* message = dlerror();
  const std::string text = message == nullptr ? "unknown cause" : message;
  return text.substr(0, text.find('\n'));
}

// The handle is never closed: the runtime's threads and globals live as long as the process.
Status load() {
  forbid_telemetry();
  const char* wanted = std::getenv("QUIRE_ONNXRUNTIME");
  const std::string name = wanted != nullptr && *wanted != '\0' ? wanted : kLibrary;
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return unimplemented(
        "this model needs ONNX Runtime, whose library cannot be loaded: " + linker_message() +
        "; pip install onnxruntime==1.31.1 and set QUIRE_ONNXRUNTIME to its "
        "capi/libonnxruntime.so.1.31.1, or export the model as a paged package, which needs none");
  }
  using GetBase = const OrtApiBase*();
  auto* get_base = reinterpret_cast<GetBase*>(dlsym(library, "OrtGetApiBase"));
  const OrtApiBase* base = get_base == nullptr ? nullptr : get_base();
  const OrtApi* api = base == nullptr ? nullptr : base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    return unimplemented(name + " is no ONNX Runtime of version 1." +
                         std::to_string(ORT_API_VERSION) +
                         " or newer; pip install onnxruntime==1.31.1");
  }
  Ort::InitApi(api);
  return ok_status();
}

}  // namespace

Status load_onnxruntime() {
  static const Status loaded = load();
  return loaded;
}

}  // namespace quire::onnx
