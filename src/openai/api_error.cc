#include "openai/api_error.h"

#include <string>
#include <string_view>

namespace quire::openai {
namespace {

std::string_view type_of(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 404) return "not_found_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

nlohmann::ordered_json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

ApiError api_error(const Status& status) {
  ApiError error{.message = status.message()};
  switch (status.code()) {
    case StatusCode::kOk:
    case StatusCode::kInvalidArgument:
    case StatusCode::kBadModel:  // what the readers of files call text that is wrong
      error.status = 400;
      break;
    case StatusCode::kNotFound:
      error.status = 404;
      break;
    case StatusCode::kUnimplemented:
      error.status = 501;
      break;
    case StatusCode::kDeadlineExceeded:
      error.status = 504;
      error.code = "timeout";
      break;
    case StatusCode::kResourceExhausted:
    case StatusCode::kUnavailable:
    case StatusCode::kCancelled:
      error.status = 503;
      error.code = "overloaded";
      break;
    case StatusCode::kInternal:
      error.status = 500;
      break;
  }
  return error;
}

std::string field_at_fault(const std::string& message, const nlohmann::json& body) {
  // Our refusals begin with the field's name, or have it in quotes.
  const std::string first = message.substr(0, message.find_first_of(" [:."));
  if (body.is_object() && body.contains(first)) return first;
  constexpr std::string_view kField = "field \"";
  const std::size_t begin = message.find(kField);
  if (begin == std::string::npos) return {};
  const std::size_t name = begin + kField.size();
  return message.substr(name, message.find('"', name) - name);
}

std::string error_body(const ApiError& error) {
  const nlohmann::ordered_json json = {{"error",
                                        {{"message", error.message},
                                         {"type", type_of(error.status)},
                                         {"param", text_or_null(error.param)},
                                         {"code", text_or_null(error.code)}}}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace quire::openai
