#include "cli/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "cli/exit_code.h"
#include "quire/printable.h"
#include "quire/status.h"

namespace quire::cli {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10U;

struct Buffer {
  std::string text;
  bool at_line_start = true;  // of what was handed to the system
  bool terminal = isatty(STDOUT_FILENO) == 1;
};

// Commands write from one thread.
Buffer& buffer() {
  static Buffer instance;
  return instance;
}

// Writes some of the text; 0 when the descriptor, which is somebody else's too, is not ready.
std::size_t write_some(std::string_view text) {
  const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
  if (written >= 0) return static_cast<std::size_t>(written);
  if (errno == EINTR) return 0;
  if (errno == EAGAIN) {
    pollfd ready{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    poll(&ready, 1, -1);
    return 0;
  }
  const int error = errno;
  const bool cuts_line = !buffer().at_line_start;
  buffer().text.clear();  // it is lost, and must not be tried again
  throw OutputLost{.error = error, .cuts_line = cuts_line};
}

}  // namespace

void check_standard_streams() {
  bool output_closed = false;
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this one. Opened so that using it fails as it should.
    open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    output_closed = output_closed || stream == STDOUT_FILENO;
  }
  if (output_closed) throw OutputLost{.error = EBADF};
}

void flush_out() {
  std::string_view rest = buffer().text;
  while (!rest.empty()) {
    const std::size_t written = write_some(rest);
    if (written > 0) buffer().at_line_start = rest[written - 1] == '\n';
    rest.remove_prefix(written);
  }
  buffer().text.clear();
}

void write_out(std::string_view text) {
  buffer().text += text;
  const bool line_done = buffer().terminal && text.find('\n') != std::string_view::npos;
  if (line_done || buffer().text.size() >= kBufferBytes) flush_out();
}

void write_out_text(std::string_view text) {
  buffer().terminal ? write_out(printable_lines(text)) : write_out(text);
}

void print_out(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  std::va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string text(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  write_out(text);
}

void finish_out() {
  flush_out();
  if (close(STDOUT_FILENO) == 0 || errno == EINTR) return;
  throw OutputLost{.error = errno, .cuts_line = false};
}

int report(const OutputLost& lost) {
  if (lost.error == EPIPE) return kExitFailure;  // whoever read had enough
  std::string message = "cannot write to standard output: ";
  message += lost.error == EBADF ? "it is closed" : std::strerror(lost.error);
  if (lost.cuts_line) message += "; the last line that was written is cut";
  return report(Status(StatusCode::kInternal, std::move(message)));
}

}  // namespace quire::cli
