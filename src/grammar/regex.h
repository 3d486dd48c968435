#pragma once

#include <string_view>

#include "grammar/dfa.h"
#include "grammar/expression.h"
#include "quire/result.h"

namespace quire::grammar {

// A regular expression, Python's and ECMA's common part, over code points: . [] [^] \d \w \s and
// their like, \xHH \uHHHH \n..., groups, | * + ? {m,n}, lazy ones too, ^ and $. Refused by name:
// what is not regular (backreferences, lookaround) and what is not here (\b, flags, possessive).

// The texts that match as a whole. ^ and $ may stand where they change nothing, at an end.
Result<ExprId> regex_expression(std::string_view pattern, Spelling spelling, Grammar* grammar);

// The same as an automaton; `search`: the texts in which it matches somewhere, as JSON Schema's
// pattern asks. ^ and $ may stand anywhere.
Result<Dfa> regex_dfa(std::string_view pattern, bool search, const Limits& limits);

}  // namespace quire::grammar
