#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"

namespace quire::chat {

// A token of a template. Text between tags is one kText token; the whitespace rules of tags have
// been applied to it already.
struct Token {
  enum class Kind {
    kText,
    kOutputBegin,  // {{
    kOutputEnd,    // }}
    kBlockBegin,   // {%
    kBlockEnd,     // %}
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;  // of a string: with its escapes resolved
  double real = 0.0;
  int line = 1;
};

// Cuts a template into tokens with Jinja's rules and the settings chat templates are written for:
// trim_blocks, lstrip_blocks and no line statements. Fails with kBadModel on a tag that does not
// end or a character that means nothing.
Result<std::vector<Token>> tokenize_template(std::string_view source);

}  // namespace quire::chat
