#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tool_calls/call_reader.h"
#include "tool_calls/json_span.h"

namespace quire::tool_calls {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool is_blank(char c) { return kBlanks.find(c) != std::string_view::npos; }

// Hands on a JSON object's text as it comes, its last bracket once it has proved to be JSON: until
// then nobody can take what is there for a whole.
class ArgumentStream {
 public:
  // What may be handed on of `text`, of which `used` bytes belong to the object.
  Progress read(std::string_view text, std::size_t* used, std::string* out) {
    *used = span_.read(text);
    if (span_.state() == JsonSpan::State::kWrong) return Progress::kWrong;
    const std::string_view taken = text.substr(0, *used);
    all_ += taken;
    if (span_.state() == JsonSpan::State::kMore) {
      *out += taken;
      return Progress::kMore;
    }
    if (!is_json_object(all_)) return Progress::kWrong;
    *out += taken;
    return Progress::kWhole;
  }

 private:
  JsonSpan span_;
  std::string all_;
};

class ObjectReader : public CallReader {
 public:
  using CallReader::CallReader;

  Progress read(std::string_view text, std::size_t* used, Events* out) override {
    *used = 0;
    while (*used < text.size()) {
      const std::string_view rest = text.substr(*used);
      std::size_t taken = 1;
      const Progress progress =
          state_ == State::kObject ? read_object(rest, &taken, out) : take(rest.front(), out);
      *used += taken;
      if (progress != Progress::kMore) return progress;
    }
    return Progress::kMore;
  }

 private:
  enum class State { kOpen, kKey, kColon, kValue, kString, kObject, kScalar, kBehind };
  enum class Role { kName, kArguments, kOther };

  Progress take(char c, Events* out) {
    if (in_string()) return take_string(c, out);
    if (state_ == State::kScalar && !is_blank(c) && c != ',' && c != '}') {
      piece_ += c;
      // Not worth more than telling a value from what is none.
      return c == '"' || c == '{' || c == ']' || piece_.size() > 64 ? Progress::kWrong
                                                                    : Progress::kMore;
    }
    if (state_ == State::kScalar) {
      const Progress progress = end_scalar(out);
      if (progress != Progress::kMore) return progress;
    }
    if (is_blank(c)) return Progress::kMore;
    switch (state_) {
      case State::kOpen:
        state_ = State::kKey;
        return c == '{' ? Progress::kMore : Progress::kWrong;
      case State::kKey:
        if (c == '}' && !has_key_) return Progress::kWrong;
        return begin_string(c);
      case State::kColon:
        state_ = State::kValue;
        return c == ':' ? Progress::kMore : Progress::kWrong;
      case State::kValue:
        return begin_value(c, out);
      case State::kBehind:
        if (c == '}') return end_call(out);
        state_ = State::kKey;
        return c == ',' ? Progress::kMore : Progress::kWrong;
      default:
        return Progress::kWrong;
    }
  }

  bool in_string() const { return open_string_; }

  Progress begin_string(char c) {
    open_string_ = c == '"';
    escaped_ = false;
    piece_ = c;
    return open_string_ ? Progress::kMore : Progress::kWrong;
  }

  Progress take_string(char c, Events* out) {
    piece_ += c;
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      open_string_ = false;
      return state_ == State::kKey ? end_key() : end_string(out);
    }
    return Progress::kMore;
  }

  Progress end_key() {
    std::string key;
    if (!decode_json_string(piece_, &key)) return Progress::kWrong;
    role_ = key == "name"                               ? Role::kName
            : key == "arguments" || key == "parameters" ? Role::kArguments
                                                        : Role::kOther;
    has_key_ = true;
    state_ = State::kColon;
    return Progress::kMore;
  }

  Progress begin_value(char c, Events* out) {
    if (role_ == Role::kArguments && arguments_) return Progress::kWrong;  // twice
    if (c == '"') {
      state_ = State::kString;
      return begin_string(c);
    }
    if (c == '{' && role_ != Role::kName) {
      state_ = State::kObject;
      stream_ = {};
      std::size_t one = 1;
      if (role_ == Role::kArguments) arguments_.emplace();
      return read_object("{", &one, out);
    }
    piece_ = c;
    state_ = State::kScalar;
    return c == '[' || c == '{' || c == '}' || c == ',' ? Progress::kWrong : Progress::kMore;
  }

  Progress read_object(std::string_view text, std::size_t* used, Events* out) {
    std::string more;
    const Progress progress = stream_.read(text, used, &more);
    if (progress == Progress::kWrong) return progress;
    if (role_ == Role::kArguments) say_arguments(more, out);
    if (progress == Progress::kWhole) state_ = State::kBehind;
    return Progress::kMore;
  }

  // Behind the name they are told as they come, before it they wait.
  void say_arguments(const std::string& more, Events* out) {
    if (!arguments_) arguments_.emplace();
    *arguments_ += more;
    if (!name_) return;
    if (!has_begun()) begin(*name_, out);
    add_arguments(more, out);
  }

  Progress end_string(Events* out) {
    state_ = State::kBehind;
    std::string text;
    if (!decode_json_string(piece_, &text)) return Progress::kWrong;
    if (role_ == Role::kName) {
      if (name_ || functions().find(text) == nullptr) return Progress::kWrong;
      name_ = text;
      if (arguments_) {
        begin(*name_, out);
        add_arguments(*arguments_, out);
      }
    } else if (role_ == Role::kArguments) {
      // Some models put the object into a string once more.
      if (text.empty()) text = "{}";
      if (!is_json_object(text)) return Progress::kWrong;
      arguments_.emplace();
      say_arguments(text, out);
    }
    return Progress::kMore;
  }

  Progress end_scalar(Events* out) {
    state_ = State::kBehind;
    if (role_ == Role::kOther) return Progress::kMore;
    if (role_ == Role::kName || piece_ != "null") return Progress::kWrong;
    arguments_.emplace();
    say_arguments("{}", out);
    return Progress::kMore;
  }

  Progress end_call(Events* out) {
    if (!name_) return Progress::kWrong;
    if (!has_begun()) begin(*name_, out);
    if (!arguments_) add_arguments("{}", out);
    end(out);
    return Progress::kWhole;
  }

  State state_ = State::kOpen;
  Role role_ = Role::kOther;
  bool has_key_ = false;
  bool open_string_ = false;
  bool escaped_ = false;
  std::string piece_;  // the string or scalar that is being read, as it is written
  ArgumentStream stream_;
  std::optional<std::string> name_;
  std::optional<std::string> arguments_;
};

class NameReader : public CallReader {
 public:
  using CallReader::CallReader;

  Progress read(std::string_view text, std::size_t* used, Events* out) override {
    *used = 0;
    while (!has_begun() && *used < text.size()) {
      if (text[*used] == '{') {
        if (!begin_call(out)) return Progress::kWrong;
        break;
      }
      head_ += text[(*used)++];
      if (head_.size() > kMaxHeadBytes) return Progress::kWrong;
    }
    if (!has_begun()) return Progress::kMore;
    std::size_t taken = 0;
    std::string more;
    const Progress progress = stream_.read(text.substr(*used), &taken, &more);
    *used += taken;
    if (progress == Progress::kWrong) return progress;
    add_arguments(more, out);
    if (progress == Progress::kWhole) end(out);
    return progress;
  }

 private:
  static constexpr std::size_t kMaxHeadBytes = 512;

  bool begin_call(Events* out) {
    std::string_view name = head_;
    for (const std::string_view mark : {"[ARGS]", "[CALL_ID]"}) {
      if (const std::size_t at = name.find(mark); at != std::string_view::npos) {
        name = name.substr(0, at);
      }
    }
    const std::size_t last = name.find_last_not_of(kBlanks);
    name = name.substr(0, last == std::string_view::npos ? 0 : last + 1);
    if (functions().find(name) == nullptr) return false;
    begin(std::string(name), out);
    return true;
  }

  std::string head_;  // all before the arguments
  ArgumentStream stream_;
};

}  // namespace

std::unique_ptr<CallReader> make_object_reader(const FunctionList* functions) {
  return std::make_unique<ObjectReader>(functions);
}

std::unique_ptr<CallReader> make_name_reader(const FunctionList* functions) {
  return std::make_unique<NameReader>(functions);
}

}  // namespace quire::tool_calls
