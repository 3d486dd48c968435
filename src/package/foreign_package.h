#pragma once

#include <filesystem>

#include "package/model_package.h"
#include "quire/result.h"

namespace quire {

// A folder in Hugging Face layout with an ONNX graph that somebody else exported: optimum, plain
// torch.onnx.export, onnxruntime-genai's builder (its genai_config.json counts before config.json).
// The package it stands for has the graph "foreign", no recorded files, no cache layers (the graph
// knows them), and a vocabulary of 0 where only the graph knows it. Fails with kBadModel.
//
// `graph` names one of several graphs, as a hub's folder holds a model in many precisions; empty:
// the usual one, or the only one.
Result<ModelPackage> open_foreign_package(const std::filesystem::path& folder,
                                          const std::filesystem::path& graph = {});

// For a path that names nothing: says so, and lists the graphs beside it where there are such.
Status no_such_graph(const std::filesystem::path& graph);

}  // namespace quire
