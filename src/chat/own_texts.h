#pragma once

#include <string>
#include <vector>

#include "chat/ast.h"

namespace quire::chat {

// What a template writes itself: its text and the strings in its expressions, with neighbours
// joined where nothing comes between them. A role between two of them stands there once with each
// name a role may have.
std::vector<std::string> own_texts(const Block& block);

}  // namespace quire::chat
