#pragma once

#include <memory>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"
#include "runner/onnx/onnx_session.h"

namespace quire::onnx {

// A runner for graphs that take the cache as inputs `past_key_values.N.key` and `.value`,
// [batch, kv_heads, past, head_dim], and give it back longer as `present.N.key` and `.value`: our
// own
// `--cache explicit`, exports by optimum and by onnxruntime-genai's builder. Keys and values live
// in the runner's blocks between steps; equally long sequences of a step run as one batch. Fails
// like open_onnx_runner().
Result<std::unique_ptr<ModelRunner>> open_explicit_runner(std::unique_ptr<OnnxSession> session,
                                                          const ModelPackage& package,
                                                          const EngineOptions& options);

}  // namespace quire::onnx
