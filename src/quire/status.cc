#include "quire/status.h"

#include <string>
#include <string_view>
#include <utility>

#include "quire/printable.h"

namespace quire {

std::string_view status_code_name(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kInvalidArgument:
      return "invalid_argument";
    case StatusCode::kBadModel:
      return "bad_model";
    case StatusCode::kNotFound:
      return "not_found";
    case StatusCode::kResourceExhausted:
      return "resource_exhausted";
    case StatusCode::kUnavailable:
      return "unavailable";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case StatusCode::kUnimplemented:
      return "unimplemented";
    case StatusCode::kInternal:
      return "internal";
  }
  return "unknown";
}

Status Status::with_context(std::string_view context) const {
  if (ok()) return *this;
  return {code_, std::string(context) + ": " + message_};
}

Status Status::with_next_step(std::string_view step) const {
  if (ok() || message_.find("; ") != std::string::npos) return *this;
  return {code_, message_ + "; " + std::string(step)};
}

namespace {

// What a file or a user wrote may stand in a message, but no line break and no terminal code of it.
Status make_status(StatusCode code, const std::string& message) {
  return {code, printable(message)};
}

}  // namespace

Status invalid_argument(std::string message) {
  return make_status(StatusCode::kInvalidArgument, message);
}
Status bad_model(std::string message) { return make_status(StatusCode::kBadModel, message); }
Status not_found(std::string message) { return make_status(StatusCode::kNotFound, message); }
Status resource_exhausted(std::string message) {
  return make_status(StatusCode::kResourceExhausted, message);
}
Status unimplemented(std::string message) {
  return make_status(StatusCode::kUnimplemented, message);
}
Status internal_error(std::string message) { return make_status(StatusCode::kInternal, message); }

}  // namespace quire
