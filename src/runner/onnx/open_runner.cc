#include "runner/onnx/open_runner.h"

#include <memory>
#include <string>
#include <utility>

#include "base/cpus.h"
#include "runner/onnx/explicit_runner.h"
#include "runner/onnx/none_runner.h"
#include "runner/onnx/onnx_session.h"
#include "runner/onnx/paged_runner.h"
#include "runner/precision.h"

namespace quire::onnx {

Result<std::unique_ptr<ModelRunner>> open_onnx_runner(const ModelPackage& package,
                                                      const EngineOptions& options) {
  QUIRE_TRY(check_precision(package, options));
  if (package.graph == "paged") return open_paged_runner(package, options);
  auto opened =
      OnnxSession::open(package.model_file, choose_num_threads(options.num_threads), nullptr);
  if (!opened) return opened.error().with_context("as a graph of kind \"" + package.graph + "\"");
  std::unique_ptr<OnnxSession> session = *std::move(opened);
  const bool has_cache = session->find_input("past_key_values.0.key") != nullptr;
  if (package.graph == "explicit" || (package.graph == "foreign" && has_cache)) {
    return open_explicit_runner(std::move(session), package, options);
  }
  return open_none_runner(std::move(session), package, options);
}

}  // namespace quire::onnx
