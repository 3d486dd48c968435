#include "cli/line_editor.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace quire::cli {
namespace {

constexpr int kMaxHistory = 1000;

}  // namespace

LineEditor::LineEditor(std::filesystem::path history_file)
    : interactive_(isatty(STDIN_FILENO) == 1),
      piped_(&std::cin, "standard input"),
      history_file_(std::move(history_file)) {
  if (!interactive_) return;
  using_history();
  stifle_history(kMaxHistory);
  if (!history_file_.empty()) read_history(history_file_.c_str());
}

LineEditor::~LineEditor() {
  if (!interactive_ || history_file_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(history_file_.parent_path(), error);
  if (!error) write_history(history_file_.c_str());
}

Result<std::optional<std::string>> LineEditor::read_line(const std::string& prompt) {
  if (!interactive_) {
    std::string line;
    QUIRE_ASSIGN(const bool more, piped_.next(&line));
    return more ? std::optional(std::move(line)) : std::nullopt;
  }
  const std::unique_ptr<char, void (*)(void*)> typed(readline(prompt.c_str()), std::free);
  if (typed == nullptr) return std::optional<std::string>();
  if (*typed != '\0') add_history(typed.get());
  return std::optional(std::string(typed.get()));
}

std::filesystem::path chat_history_file() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') {
    return std::filesystem::path(state) / "quire" / "chat_history";
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return {};
  return std::filesystem::path(home) / ".local" / "state" / "quire" / "chat_history";
}

}  // namespace quire::cli
