#pragma once

#include <string_view>

#include "chat/runtime.h"
#include "chat/value.h"
#include "quire/result.h"

namespace quire::chat {

// What str.format and % make of one value: a specification such as ">8", "05d" or ".2f", as Python
// reads it. Text keeps its trust; digits are trusted as the number is, and padding as `trusted`
// says.
Result<Text> format_value(const Value& value,
                          std::string_view specification,
                          bool trusted,
                          Budget* budget);

// format % value, with a tuple for several fields and a dictionary for named ones.
Result<Value> format_percent(const Text& format, const Value& value, Budget* budget);

// format.format(arguments).
Result<Value> format_braces(const Text& format, const CallArguments& arguments, Runtime* runtime);

}  // namespace quire::chat
