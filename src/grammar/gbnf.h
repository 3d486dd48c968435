#pragma once

#include <string_view>

#include "grammar/expression.h"
#include "quire/result.h"

namespace quire::grammar {

// Reads a grammar in the dialect of llama.cpp, GBNF: `root ::= "a" [b-z]* (x | y){2,3} # ...`,
// rules in any order, with the root of its rule `root`. Fails with the line and what was expected
// there.
Result<ExprId> gbnf_expression(std::string_view text, Grammar* grammar);

}  // namespace quire::grammar
