#pragma once

#include <string_view>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/limits.h"
#include "quire/result.h"

namespace quire::grammar {

// A regular expression as it is written.
struct RegexTree {
  enum class Kind { kSet, kConcat, kAlt, kRepeat, kBegin, kEnd };
  Kind kind = Kind::kConcat;  // one without children: the empty text
  CodePointSet set = {};
  int min = 0;
  int max = 0;  // -1: without end
  std::vector<RegexTree> children = {};
};

// Fails with kInvalidArgument that says what is wrong at which character, or what is not here.
Result<RegexTree> parse_regex(std::string_view pattern, const Limits& limits);

}  // namespace quire::grammar
