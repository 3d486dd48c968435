#include "llm/backends.h"

#include <string>
#include <string_view>

#include "runner/graph/graph_runner.h"
#include "runner/torch/plugin_loader.h"
#ifdef QUIRE_WITH_ONNX
#include "runner/onnx/open_runner.h"
#endif

namespace quire {
namespace {

struct Backend {
  std::string_view name;
  bool is_built;
  bool (*runs)(const ModelPackage& package);
  std::string_view needs;  // said of a package that it does not run
  Result<std::unique_ptr<ModelRunner>> (*open)(const ModelPackage&, const EngineOptions&);
};

bool has_paged_onnx(const ModelPackage& package) {
  return package.graph == "paged" && package.has_backend("onnx");
}
bool has_onnx(const ModelPackage& package) { return package.has_backend("onnx"); }
bool has_torchscript(const ModelPackage& package) { return package.has_backend("torchscript"); }

#ifdef QUIRE_WITH_ONNX
constexpr bool kHasOnnx = true;
constexpr auto* open_onnx = &onnx::open_onnx_runner;
#else
constexpr bool kHasOnnx = false;
Result<std::unique_ptr<ModelRunner>> open_onnx(const ModelPackage&, const EngineOptions&) {
  return unimplemented(
      "this quire was built without ONNX Runtime, which this model needs; build it with "
      "-DQUIRE_WITH_ONNX=ON, or export the model as a paged package, which needs none");
}
#endif

// In the order in which "auto" asks them.
constexpr Backend kBackends[] = {
    {"graph",
     true,
     &has_paged_onnx,
     "holds no paged ONNX graph, which the backend graph runs; use option backend=auto",
     &graph::open_graph_runner},
    {"onnx",
     kHasOnnx,
     &has_onnx,
     "holds no ONNX graph; export it with quire-export --format onnx, or run its TorchScript with "
     "option backend=torch",
     open_onnx},
    {"torch",
     true,
     &has_torchscript,
     "holds no TorchScript; export it with quire-export --format torchscript or both",
     &torch_backend::open_torch_runner},
};

std::string names() {
  std::string text = "auto";
  for (const Backend& backend : kBackends) {
    text += &backend == std::end(kBackends) - 1 ? " or " : ", ";
    text += backend.name;
  }
  return text;
}

Result<std::unique_ptr<ModelRunner>> open_chosen(const ModelPackage& package,
                                                 const EngineOptions& options) {
  const Backend* not_built = nullptr;
  for (const Backend& backend : kBackends) {
    if (options.backend == backend.name) {
      if (backend.runs(package)) return backend.open(package, options);
      return bad_model(package.folder.string() + " " + std::string(backend.needs));
    }
    if (options.backend != "auto" || !backend.runs(package)) continue;
    if (backend.is_built) return backend.open(package, options);
    if (not_built == nullptr) not_built = &backend;
  }
  if (options.backend != "auto") {
    return invalid_argument("option backend is \"" + options.backend.substr(0, 32) +
                            "\", but must be " + names());
  }
  if (not_built != nullptr) return not_built->open(package, options);
  return bad_model(package.folder.string() + " " + std::string(kBackends[1].needs));
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_runner(const ModelPackage& package,
                                                 const EngineOptions& options) {
  auto runner = open_chosen(package, options);
  if (runner || runner.error().code() != StatusCode::kBadModel) return runner;
  return runner.error().with_next_step("export the model again with quire-export");
}

}  // namespace quire
