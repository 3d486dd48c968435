#pragma once

#include <vector>

#include "grammar/code_points.h"

namespace quire::grammar {

// The code points of Python's character classes for texts, \d, \w and \s, of Unicode 14
// (tools/make_unicode_ranges.py).
std::vector<CodePointSet::Range> decimal_digit_ranges();
std::vector<CodePointSet::Range> word_ranges();
std::vector<CodePointSet::Range> space_ranges();

}  // namespace quire::grammar
