#pragma once

#include <string_view>

#include "grammar/expression.h"
#include "quire/result.h"

namespace quire::grammar {

// The JSON texts that a schema describes (docs/structured_output.md). Fails with kInvalidArgument
// that names the keyword and its place in the schema.
Result<ExprId> json_schema_expression(std::string_view schema, Grammar* grammar);

// Any JSON object.
ExprId json_object_expression(Grammar* grammar);

}  // namespace quire::grammar
