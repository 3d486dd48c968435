#pragma once

#include <memory>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"
#include "runner/onnx/onnx_session.h"

namespace quire::onnx {

// A runner for graphs without a cache, which compute the whole sequence each time: our own
// `--cache none`, or any export with only `input_ids` to `logits`. Between steps it keeps the ids.
// Fails like open_onnx_runner().
Result<std::unique_ptr<ModelRunner>> open_none_runner(std::unique_ptr<OnnxSession> session,
                                                      const ModelPackage& package,
                                                      const EngineOptions& options);

}  // namespace quire::onnx
