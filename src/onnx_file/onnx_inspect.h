#pragma once

#include <filesystem>

#include "quire/status.h"

namespace quire::onnx {

// Looks through an ONNX file before ONNX Runtime sees it, which is no sandbox: a crafted file can
// make it read other files or crash while loading. Refuses (kBadModel, one line) what no model of
// ours has: operators outside ai.onnx, com.microsoft and quire; model-local functions; absurd
// counts or nesting; loops, and constants that grow without bound (constant_growth.h); sparse
// weights; weights outside the folder, in links, past the end of their file, or of
// another size than their shape. Reads the file once and keeps nothing.
Status inspect_onnx(const std::filesystem::path& model_file);

}  // namespace quire::onnx
