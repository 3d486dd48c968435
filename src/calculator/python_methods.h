#pragma once

#include <optional>
#include <string_view>

#include "calculator/python_value.h"

namespace quire {

// A method of Python's built-in types called with one argument or none. Nothing where Python
// raises an exception, for methods that are not known here, and for texts above 16 KiB.
std::optional<PythonValue> call_method(const PythonValue& self,
                                       std::string_view name,
                                       const std::optional<PythonValue>& argument);

// An attribute that is no method: real, imag, numerator, denominator.
std::optional<PythonValue> read_attribute(const PythonValue& self, std::string_view name);

}  // namespace quire
