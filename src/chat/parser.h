#pragma once

#include <string_view>

#include "chat/ast.h"
#include "quire/result.h"

namespace quire::chat {

inline constexpr std::size_t kMaxTemplateBytes = std::size_t{256} << 10U;
inline constexpr int kMaxNesting = 128;

// Parses a template. Fails with kBadModel and the line when it is larger than kMaxTemplateBytes,
// nested deeper than kMaxNesting, not understood, or uses what Quire does not run (include,
// import).
Result<Block> parse_template(std::string_view source);

}  // namespace quire::chat
