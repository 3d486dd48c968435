#include "cli/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <clocale>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

// libedit drops every letter beyond ASCII unless the locale's characters are UTF-8. Whether they
// can be: a root without locales has none.
bool read_utf8() {
  for (const char* name : {"C.UTF-8", "en_US.UTF-8", ""}) {
    if (std::setlocale(LC_CTYPE, name) == nullptr) continue;
    if (std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return true;
  }
  std::setlocale(LC_CTYPE, "C");
  return false;
}

// What the editor shows before a line; it asks without being given the LineEditor.
char* prompt_of(EditLine* editor) {
  void* prompt = nullptr;
  el_get(editor, EL_CLIENTDATA, &prompt);
  return static_cast<char*>(prompt);
}

}  // namespace

// libedit by its own interface: its imitation of readline looks users up, which no static program
// can.
class LineEditor::Terminal {
 public:
  explicit Terminal(const std::filesystem::path& history_file)
      : editor_(el_init("quire", stdin, stdout, stderr), el_end),
        history_(history_init(), history_end) {
    HistEvent event;
    history(history_.get(), &event, H_SETSIZE, kMaxHistory);
    if (!history_file.empty()) history(history_.get(), &event, H_LOAD, history_file.c_str());
    if (editor_ == nullptr) return;
    el_set(editor_.get(), EL_PROMPT, prompt_of);
    el_set(editor_.get(), EL_EDITOR, "emacs");
    el_set(editor_.get(), EL_HIST, history, history_.get());
    el_source(editor_.get(), nullptr);
  }

  std::optional<std::string> read_line(std::string prompt) {
    if (editor_ == nullptr) return std::nullopt;
    el_set(editor_.get(), EL_CLIENTDATA, prompt.data());
    int count = 0;
    const char* typed = el_gets(editor_.get(), &count);
    if (typed == nullptr || count <= 0) return std::nullopt;
    std::string line(typed, static_cast<std::size_t>(count));
    if (line.ends_with('\n')) line.pop_back();
    HistEvent event;
    if (!line.empty()) history(history_.get(), &event, H_ENTER, line.c_str());
    return line;
  }

  void save(const std::filesystem::path& history_file) {
    HistEvent event;
    history(history_.get(), &event, H_SAVE, history_file.c_str());
  }

 private:
  std::unique_ptr<EditLine, void (*)(EditLine*)> editor_;
  std::unique_ptr<History, void (*)(History*)> history_;
};

LineEditor::LineEditor(std::filesystem::path history_file)
    : piped_(&std::cin, "standard input"), history_file_(std::move(history_file)) {
  interactive_ = isatty(STDIN_FILENO) == 1;
  if (interactive_ && read_utf8()) terminal_ = std::make_unique<Terminal>(history_file_);
}

LineEditor::~LineEditor() {
  if (terminal_ == nullptr || history_file_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(history_file_.parent_path(), error);
  if (!error) terminal_->save(history_file_);
}

Result<std::optional<std::string>> LineEditor::read_line(const std::string& prompt) {
  if (terminal_ != nullptr) return terminal_->read_line(prompt);
  if (interactive_) std::cout << prompt << std::flush;
  std::string line;
  QUIRE_ASSIGN(const bool more, piped_.next(&line));
  return more ? std::optional(std::move(line)) : std::nullopt;
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
