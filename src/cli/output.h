#pragma once

#include <string_view>

namespace quire::cli {

// Standard output: the one way a command says its results. A result that cannot be written must not
// get lost in silence, so every write is checked here; the first that fails throws OutputLost,
// which main() turns into one line on stderr and the exit code.

// What became of standard output. Thrown only by the functions below.
struct OutputLost {
  int error = 0;           // an errno
  bool cuts_line = false;  // what was written ends in the middle of a line
};

// Keeps the numbers of standard streams that are closed from becoming those of files we open, and
// throws OutputLost where standard output is closed. Before anything is opened.
void check_standard_streams();

// Writes text as it is.
void write_out(std::string_view text);

// Writes text of a model or a user: as it is into a file or a pipe; on a terminal, which would obey
// them, with its control characters escaped.
void write_out_text(std::string_view text);

// As std::printf.
[[gnu::format(printf, 1, 2)]] void print_out(const char* format, ...);

// Hands over what was written so far.
void flush_out();

// Hands over the rest at the end of the program and closes standard output, which is where some
// file systems say that it was not written.
void finish_out();

// Tells of lost output, unless a reader closed its pipe; returns the exit code.
int report(const OutputLost& lost);

}  // namespace quire::cli
