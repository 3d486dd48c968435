#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "quire/status.h"

namespace quire::openai {

// A failure as OpenAI's clients read it. Empty `param` and `code` are null in JSON.
struct ApiError {
  int status = 400;  // of HTTP
  std::string message = {};
  std::string param = {};  // the field at fault
  std::string code = {};
};

// What a failure of the library is to a client.
ApiError api_error(const Status& status);

// The field of `body` that the message of a refusal is about; empty if it says none.
std::string field_at_fault(const std::string& message, const nlohmann::json& body);

// {"error":{"message","type","param","code"}}
std::string error_body(const ApiError& error);

}  // namespace quire::openai
