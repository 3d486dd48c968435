#pragma once

#include <memory>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"

namespace quire::graph {

// Quire's own executor: runs the paged graph of a package with the operators of src/ops on threads
// of its own, without any runtime. A run in a shape that was seen just before allocates nothing.
// Fails with kBadModel for a graph that is damaged or holds what the executor does not know
// (named), kInvalidArgument for options, kResourceExhausted without memory.
Result<std::unique_ptr<ModelRunner>> open_graph_runner(const ModelPackage& package,
                                                       const EngineOptions& options);

}  // namespace quire::graph
