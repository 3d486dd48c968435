#pragma once

#include "chat/ast.h"
#include "chat/value.h"
#include "quire/result.h"

namespace quire::chat {

// Whether a template goes through the parts of a message's content by itself: it loops over the
// content, or picks items of it. Others want a string.
bool takes_content_parts(const Block& block);

// A list of content parts as the string of its texts, one a line, for a template that wants one.
// Fails with kInvalidArgument on a part that is no text. What is no list stays as it is.
Result<Value> content_as_string(const Value& content);

}  // namespace quire::chat
