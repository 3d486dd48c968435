#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace quire::openai {

enum class ResponseField : std::uint8_t {
  kUnknown,
  kSameAsChat,  // the chat completion has it under the same name
  kOwn,
  kNotHere  // the Responses API's, and not in this version
};

// What a field of a request to /v1/responses is.
ResponseField response_field(std::string_view name);

// All that are taken. Any thread; the names live as long as the program.
std::span<const std::string_view> responses_field_names();

}  // namespace quire::openai
