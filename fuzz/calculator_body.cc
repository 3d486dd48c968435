#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "calculator/calculator.h"
#include "fuzz/fuzz_bodies.h"

namespace quire::fuzz {

void calculator(std::string_view input) {
  const std::optional<std::string> result = calculate(input);
  const std::optional<std::string> bracketed = calculate("(" + std::string(input) + ")");
  if (!result) return;
  for (const char c : *result) QUIRE_CHECK(c >= ' ' && c <= '~', "a result is printable ASCII");
  // Brackets change nothing, unless they join what was one too many, or too long.
  const bool at_limit = input.size() >= 16384 || !bracketed;
  QUIRE_CHECK(at_limit || *bracketed == *result, "brackets around an expression change nothing");
  // A number is its own result.
  const bool is_number = result->find_first_not_of("0123456789.") == std::string::npos;
  QUIRE_CHECK(!is_number || calculate(*result) == result, "a number is its own result");
}

}  // namespace quire::fuzz
