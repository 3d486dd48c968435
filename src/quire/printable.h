#pragma once

#include <string>
#include <string_view>

namespace quire {

// Text of files and users as a message or a listing may show it: on one line, and without what
// steers a terminal. Controls (C0, DEL and C1), line and paragraph separators and marks that
// change the direction of what follows are written as \n, \x1b, \u009b; bytes that are no UTF-8 as
// \x9b. Everything else stays as it is, so that the result shows as itself.
std::string printable(std::string_view text);

// The same for an answer of several lines on a terminal: line feeds, tabs and marks of direction,
// which some scripts need, stay.
std::string printable_lines(std::string_view text);

}  // namespace quire
