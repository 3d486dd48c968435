#pragma once

#include <optional>
#include <string_view>

#include "calculator/python_value.h"

namespace quire {

// Python's operators. Nothing where Python raises an exception: wrong types, division by zero, a
// number too large for a double.
std::optional<PythonValue> apply_arithmetic(std::string_view op,
                                            const PythonValue& left,
                                            const PythonValue& right);
std::optional<PythonValue> apply_sign(std::string_view op, const PythonValue& operand);
// "in", "not in", "is", "is not".
std::optional<bool> apply_comparison(std::string_view op,
                                     const PythonValue& left,
                                     const PythonValue& right);

}  // namespace quire
