#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tool_calls/call_reader.h"
#include "tool_calls/json_span.h"

namespace quire::tool_calls {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kMaxNameBytes = 512;
constexpr int kMaxLevels = 64;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

// A parameter's text as the value that its schema calls for: text where that allows one, else what
// it is as JSON, else text after all.
std::string value_of(const Function& function, std::string_view key, std::string_view text) {
  const auto found = function.types.find(key);
  const bool is_known = found != function.types.end();
  const auto allows = [&](std::string_view type) {
    return is_known && std::ranges::find(found->second, type) != found->second.end();
  };
  const std::string_view bare = trimmed(text);
  if (allows("null") && bare == "null") return "null";
  if (!is_known || allows("string")) return json_string(text);
  return parse_json(bare, "a value") ? std::string(bare) : json_string(text);
}

class XmlReader : public CallReader {
 public:
  using CallReader::CallReader;

  Progress read(std::string_view text, std::size_t* used, Events* out) override {
    text_ += text;
    *used = text.size();
    while (true) {
      const std::size_t before = at_;
      const State state = state_;
      const Progress progress = step(out);
      if (progress == Progress::kWhole) *used = text.size() - (text_.size() - at_);
      if (progress != Progress::kMore) return progress;
      if (at_ == before && state_ == state) return Progress::kMore;
    }
  }

 private:
  enum class State { kHead, kBetween, kValue };
  static constexpr std::string_view kParameter = "<parameter=";
  static constexpr std::string_view kEndOfParameter = "</parameter>";
  static constexpr std::string_view kEndOfFunction = "</function>";

  Progress step(Events* out) {
    switch (state_) {
      case State::kHead: {
        std::string name;
        const Progress progress = read_name(at_, &name);
        if (progress != Progress::kWhole) return progress;
        function_ = functions().find(name);
        state_ = State::kBetween;
        return function_ == nullptr ? Progress::kWrong : Progress::kMore;
      }
      case State::kBetween:
        return step_between(out);
      case State::kValue:
        return step_value();
    }
    return Progress::kWrong;
  }

  // The name from `from` up to ">".
  Progress read_name(std::size_t from, std::string* name) {
    const std::size_t close = text_.find('>', from);
    const std::size_t end = std::min(close, text_.size());
    if (end - from > kMaxNameBytes) return Progress::kWrong;
    if (close == std::string::npos) return Progress::kMore;
    *name = trimmed(std::string_view(text_).substr(from, end - from));
    at_ = end + 1;
    return Progress::kWhole;
  }

  Progress step_between(Events* out) {
    const std::size_t first = text_.find_first_not_of(kBlanks, at_);
    if (first == std::string::npos) return Progress::kMore;
    const std::string_view rest = std::string_view(text_).substr(first);
    if (rest.starts_with(kEndOfFunction)) {
      at_ = first + kEndOfFunction.size();
      whole_call(function_->name, arguments_ + "}", out);
      return Progress::kWhole;
    }
    if (rest.starts_with(kParameter)) {
      const Progress progress = read_name(first + kParameter.size(), &key_);
      if (progress != Progress::kWhole) return progress;
      if (std::ranges::find(keys_, key_) != keys_.end()) return Progress::kWrong;
      keys_.push_back(key_);
      state_ = State::kValue;
      search_from_ = at_;
      return Progress::kMore;
    }
    const bool may_become = kEndOfFunction.starts_with(rest) || kParameter.starts_with(rest);
    return may_become ? Progress::kMore : Progress::kWrong;
  }

  Progress step_value() {
    const std::size_t end = text_.find(kEndOfParameter, search_from_);
    if (end == std::string::npos) {
      search_from_ = std::max(at_, text_.size() - std::min(text_.size(), kEndOfParameter.size()));
      return Progress::kMore;
    }
    std::string_view value = std::string_view(text_).substr(at_, end - at_);
    if (value.starts_with('\n')) value.remove_prefix(1);
    if (value.ends_with('\n')) value.remove_suffix(1);
    arguments_ += arguments_.size() == 1 ? "" : ", ";
    arguments_ += json_string(key_) + ": " + value_of(*function_, key_, value);
    at_ = end + kEndOfParameter.size();
    state_ = State::kBetween;
    return Progress::kMore;
  }

  State state_ = State::kHead;
  std::string text_;
  std::size_t at_ = 0;           // all before is read
  std::size_t search_from_ = 0;  // no end of the value begins before
  const Function* function_ = nullptr;
  std::string key_;
  std::vector<std::string> keys_;
  std::string arguments_ = "{";
};

constexpr std::string_view kEscape = "<escape>";

// Makes JSON of an object in FunctionGemma's writing, from its "{" on.
class EscapeConverter {
 public:
  explicit EscapeConverter(std::string_view text) : text_(text) {}

  bool convert(std::string* json) { return object(json, 0) && text_.empty(); }

 private:
  bool take(std::string_view what) {
    const std::size_t first = text_.find_first_not_of(kBlanks);
    if (first == std::string_view::npos || !text_.substr(first).starts_with(what)) return false;
    text_.remove_prefix(first + what.size());
    return true;
  }

  bool quoted(std::string* text) {
    if (!take(kEscape)) return false;
    const std::size_t end = text_.find(kEscape);
    if (end == std::string_view::npos) return false;
    *text = text_.substr(0, end);
    text_.remove_prefix(end + kEscape.size());
    return true;
  }

  // What stands up to the next of `ends`.
  std::string_view bare(std::string_view ends) {
    const std::string_view piece =
        text_.substr(0, std::min(text_.find_first_of(ends), text_.size()));
    text_.remove_prefix(piece.size());
    return trimmed(piece);
  }

  bool value(std::string* json, int level) {
    std::string text;
    if (level > kMaxLevels) return false;
    if (quoted(&text)) {
      *json += json_string(text);
      return true;
    }
    const std::size_t first = text_.find_first_not_of(kBlanks);
    const char c = first == std::string_view::npos ? '\0' : text_[first];
    if (c == '{') return object(json, level + 1);
    if (c == '[') return list(json, level + 1);
    const std::string_view piece = bare(",}]");
    if (piece.empty()) return false;
    *json += parse_json(piece, "a value") ? std::string(piece) : json_string(piece);
    return true;
  }

  bool object(std::string* json, int level) {
    if (!take("{")) return false;
    *json += '{';
    for (bool first = true; !take("}"); first = false) {
      if (!first && !take(",")) return false;
      std::string key;
      if (!quoted(&key)) key = bare(":,}]");
      if (key.empty() || !take(":")) return false;
      *json += (first ? "" : ", ") + json_string(key) + ": ";
      if (!value(json, level)) return false;
    }
    *json += '}';
    return true;
  }

  bool list(std::string* json, int level) {
    if (!take("[")) return false;
    *json += '[';
    for (bool first = true; !take("]"); first = false) {
      if (!first && !take(",")) return false;
      if (!first) *json += ", ";
      if (!value(json, level)) return false;
    }
    *json += ']';
    return true;
  }

  std::string_view text_;
};

class EscapeReader : public CallReader {
 public:
  using CallReader::CallReader;

  Progress read(std::string_view text, std::size_t* used, Events* out) override {
    text_ += text;
    *used = text.size();
    while (at_ < text_.size()) {
      const std::string_view rest = std::string_view(text_).substr(at_);
      if (rest.starts_with(kEscape)) {
        quoted_ = !quoted_;
        at_ += kEscape.size();
        continue;
      }
      if (kEscape.starts_with(rest)) return Progress::kMore;
      ++at_;
      if (quoted_) continue;
      if (level_ == 0 && at_ > kMaxNameBytes) return Progress::kWrong;
      const char c = rest.front();
      if (c == '{' || c == '[') ++level_;
      if ((c != '}' && c != ']') || --level_ > 0) continue;
      *used = text.size() - (text_.size() - at_);
      return convert(out) ? Progress::kWhole : Progress::kWrong;
    }
    return Progress::kMore;
  }

 private:
  bool convert(Events* out) {
    constexpr std::string_view kCall = "call:";
    const std::string_view whole = trimmed(std::string_view(text_).substr(0, at_));
    const std::size_t open = whole.find('{');
    if (!whole.starts_with(kCall) || open == std::string_view::npos) return false;
    const std::string name(trimmed(whole.substr(kCall.size(), open - kCall.size())));
    std::string arguments;
    if (functions().find(name) == nullptr ||
        !EscapeConverter(whole.substr(open)).convert(&arguments) || !is_json_object(arguments)) {
      return false;
    }
    whole_call(name, std::move(arguments), out);
    return true;
  }

  std::string text_;
  std::size_t at_ = 0;
  bool quoted_ = false;
  int level_ = 0;
};

class TextReader : public CallReader {
 public:
  TextReader(const FunctionList* functions, std::string closer)
      : CallReader(functions), closer_(std::move(closer)) {}

  Progress read(std::string_view text, std::size_t* used, Events* out) override {
    text_ += text;
    *used = text.size();
    const std::size_t end = text_.find(closer_, search_from_);
    if (end == std::string::npos) {
      search_from_ = text_.size() - std::min(text_.size(), closer_.size());
      return Progress::kMore;
    }
    *used = text.size() - (text_.size() - end - closer_.size());
    const std::string_view said = std::string_view(text_).substr(0, end);
    const Function* const only = functions().all().size() == 1 ? functions().all().data() : nullptr;
    if (only == nullptr || only->only_text.empty() || trimmed(said).empty())
      return Progress::kWrong;
    whole_call(
        only->name, "{" + json_string(only->only_text) + ": " + json_string(said) + "}", out);
    return Progress::kWhole;
  }

 private:
  std::string closer_;
  std::string text_;
  std::size_t search_from_ = 0;
};

}  // namespace

std::unique_ptr<CallReader> make_xml_reader(const FunctionList* functions) {
  return std::make_unique<XmlReader>(functions);
}

std::unique_ptr<CallReader> make_escape_reader(const FunctionList* functions) {
  return std::make_unique<EscapeReader>(functions);
}

std::unique_ptr<CallReader> make_text_reader(const FunctionList* functions, std::string closer) {
  return std::make_unique<TextReader>(functions, std::move(closer));
}

}  // namespace quire::tool_calls
