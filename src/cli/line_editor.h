#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/line_reader.h"

namespace quire::cli {

// Reads lines that a person types: with editing and history on a terminal, plainly otherwise and
// where the system has no UTF-8 locale. The history is kept in `history_file` between sessions; an
// empty path keeps none.
class LineEditor {
 public:
  explicit LineEditor(std::filesystem::path history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // The next line without its end; empty optional at the end of input. Fails as LineReader does.
  Result<std::optional<std::string>> read_line(const std::string& prompt);

 private:
  class Terminal;

  LineReader piped_;
  bool interactive_ = false;
  std::unique_ptr<Terminal> terminal_;  // null when lines are read plainly
  std::filesystem::path history_file_;
};

// $XDG_STATE_HOME/quire/chat_history, or the same under ~/.local/state; empty without a home.
std::filesystem::path chat_history_file();

}  // namespace quire::cli
