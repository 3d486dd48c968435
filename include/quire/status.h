#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace quire {

// What kind of failure a Status reports. The meanings are absl's; the command line maps them to
// exit codes (kInvalidArgument 2, kBadModel 3, the others 1) and the server to HTTP codes.
enum class StatusCode {
  kOk,
  kInvalidArgument,    // the caller's mistake: a flag, a prompt, a sampling parameter
  kBadModel,           // a model or input file that is missing, damaged or not understood
  kNotFound,           // a thing asked for by name is not there
  kResourceExhausted,  // a bounded resource is used up: memory, blocks, the queue
  kUnavailable,        // cannot be served now, may be later
  kCancelled,          // the caller took the request back
  kDeadlineExceeded,   // the request's own time limit passed
  kUnimplemented,      // understood, but not in this build or version
  kInternal,           // our bug or a failure inside a backend
};

// The stable lower-case name of a code, for example "invalid_argument".
std::string_view status_code_name(StatusCode code);

// The outcome of an operation: ok, or a code and a one-line message that names the cause and, where
// there is one, the next step. Cheap to move; safe to read from any thread once made.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] bool ok() const { return code_ == StatusCode::kOk; }
  [[nodiscard]] StatusCode code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }

  // The same failure with `context` and ": " in front of its message; an ok status stays ok.
  [[nodiscard]] Status with_context(std::string_view context) const;
  // The same failure with "; " and `step`, what to do about it, behind its message, unless it names
  // a step already; an ok status stays ok.
  [[nodiscard]] Status with_next_step(std::string_view step) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status ok_status() { return {}; }
// Each with one line of text: control characters in the message become escapes like \n and \x1b.
Status invalid_argument(std::string message);
Status bad_model(std::string message);
Status not_found(std::string message);
Status resource_exhausted(std::string message);
Status unimplemented(std::string message);
Status internal_error(std::string message);

}  // namespace quire
