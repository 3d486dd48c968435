#pragma once

#include "quire/status.h"

namespace quire::onnx {

// Finds ONNX Runtime's library and opens it, once for the process: only who opens a model that
// needs it loads it. Looked for where QUIRE_ONNXRUNTIME says, then beside the program or library,
// then where the system looks. Fails with kUnimplemented and how to get it. Nothing of Ort:: may be
// called before it has succeeded. From any thread.
Status load_onnxruntime();

}  // namespace quire::onnx
