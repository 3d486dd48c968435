#include "tool_calls/json_span.h"

#include <string>
#include <string_view>

#include "base/json.h"

namespace quire::tool_calls {
namespace {

constexpr std::size_t kMaxLevels = 64;

}  // namespace

std::size_t JsonSpan::read(std::string_view text) {
  std::size_t used = 0;
  while (used < text.size() && state_ == State::kMore) take(text[used++]);
  return used;
}

void JsonSpan::take(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return;
  }
  if (open_.empty() && c != '{') {
    state_ = State::kWrong;
  } else if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    open_ += c == '{' ? '}' : ']';
    if (open_.size() > kMaxLevels) state_ = State::kWrong;
  } else if (c == '}' || c == ']') {
    if (open_.back() != c) {
      state_ = State::kWrong;
      return;
    }
    open_.pop_back();
    if (open_.empty()) state_ = State::kWhole;
  }
}

bool is_json_object(std::string_view text) {
  const auto parsed = parse_json(text, "the arguments");
  return parsed && parsed->is_object();
}

bool decode_json_string(std::string_view text, std::string* decoded) {
  const auto parsed = parse_json(text, "a name");
  if (!parsed || !parsed->is_string()) return false;
  *decoded = parsed->get<std::string>();
  return true;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace quire::tool_calls
