#pragma once

#include <memory>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"

namespace quire {

// Opens a package with the backend of the options, or for "auto" with the first of the table that
// runs it. kInvalidArgument: an unknown backend; kBadModel: one that does not run this package;
// kUnimplemented: one that is not in this build or whose library is missing.
Result<std::unique_ptr<ModelRunner>> open_runner(const ModelPackage& package,
                                                 const EngineOptions& options);

}  // namespace quire
