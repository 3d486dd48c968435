#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quire::tool_calls {

// Finds the end of a JSON object in text that comes in pieces, by its brackets and strings. What is
// between them is not looked at.
class JsonSpan {
 public:
  enum class State { kMore, kWhole, kWrong };

  // Takes characters up to the object's last and tells how many; the first must be "{".
  std::size_t read(std::string_view text);
  State state() const { return state_; }

 private:
  void take(char c);

  State state_ = State::kMore;
  std::string open_;  // the brackets that wait for their other
  bool in_string_ = false;
  bool escaped_ = false;
};

// Whether a text is a JSON object that anybody may read: UTF-8, no key twice, 64 levels at most.
bool is_json_object(std::string_view text);
// The text of a JSON string with its quotes; false where it is none.
bool decode_json_string(std::string_view text, std::string* decoded);
// Text as a JSON string.
std::string json_string(std::string_view text);

}  // namespace quire::tool_calls
