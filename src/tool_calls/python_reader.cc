#include <array>
#include <cctype>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "tool_calls/call_reader.h"
#include "tool_calls/json_span.h"

namespace quire::tool_calls {
namespace {

constexpr int kMaxLevels = 64;

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
}

// Python's literals as JSON, and calls of functions with nothing but such as arguments by name.
class PythonCalls {
 public:
  explicit PythonCalls(std::string_view text) : text_(text) {}

  bool at_end() {
    skip(" \t\r\n;,");
    return text_.empty();
  }

  bool call(std::string* name, std::string* arguments) {
    const bool printed = take("print(");
    *name = word();
    constexpr std::string_view kModule = "default_api.";
    if (name->starts_with(kModule)) name->erase(0, kModule.size());
    if (name->empty() || !take("(")) return false;
    *arguments = "{";
    for (bool first = true; !take(")"); first = false) {
      if (!first && !take(",")) return false;
      if (!first && take(")")) break;
      const std::string key = word();
      if (key.empty() || !take("=")) return false;
      *arguments += (first ? "" : ", ") + json_string(key) + ": ";
      if (!value(arguments, 0)) return false;
    }
    *arguments += '}';
    return !printed || take(")");
  }

 private:
  void skip(std::string_view blanks) {
    text_.remove_prefix(std::min(text_.find_first_not_of(blanks), text_.size()));
  }

  bool take(std::string_view what) {
    skip(" \t\r\n");
    if (!text_.starts_with(what)) return false;
    text_.remove_prefix(what.size());
    return true;
  }

  std::string word() {
    skip(" \t\r\n");
    std::size_t length = 0;
    while (length < text_.size() && is_name(text_[length])) ++length;
    std::string word(text_.substr(0, length));
    text_.remove_prefix(length);
    return word;
  }

  bool value(std::string* json, int level) {
    skip(" \t\r\n");
    if (level > kMaxLevels || text_.empty()) return false;
    const char c = text_.front();
    if (c == '"' || c == '\'') return string(json);
    if (c == '[' || c == '{') return container(json, level + 1);
    std::string piece;
    if (c == '-' || c == '+') {
      piece = c == '-' ? "-" : "";
      text_.remove_prefix(1);
    }
    piece += word();
    constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kWords = {
        {{"True", "true"}, {"False", "false"}, {"None", "null"}}};
    for (const auto& [python, same] : kWords) {
      if (piece == python) piece = same;
    }
    if (piece.empty() || !parse_json(piece, "a value")) return false;
    *json += piece;
    return true;
  }

  bool container(std::string* json, int level) {
    const bool dict = text_.front() == '{';
    const std::string_view close = dict ? "}" : "]";
    *json += text_.front();
    text_.remove_prefix(1);
    for (bool first = true; !take(close); first = false) {
      if (!first && !take(",")) return false;
      if (!first && take(close)) break;
      if (!first) *json += ", ";
      skip(" \t\r\n");
      if (dict) {
        if (text_.empty() || (text_.front() != '"' && text_.front() != '\'')) return false;
        if (!string(json) || !take(":")) return false;
        *json += ": ";
      }
      if (!value(json, level)) return false;
    }
    *json += close;
    return true;
  }

  bool string(std::string* json) {
    std::string quote(1, text_.front());
    if (text_.starts_with(std::string(3, quote[0]))) quote = std::string(3, quote[0]);
    text_.remove_prefix(quote.size());
    std::string said;
    while (!text_.starts_with(quote)) {
      if (text_.empty()) return false;
      const char c = text_.front();
      text_.remove_prefix(1);
      if (c == '\n' && quote.size() == 1) return false;
      if (c != '\\') {
        said += c;
      } else if (!escape(&said)) {
        return false;
      }
    }
    text_.remove_prefix(quote.size());
    *json += json_string(said);
    return true;
  }

  bool escape(std::string* said) {
    if (text_.empty()) return false;
    const char c = text_.front();
    text_.remove_prefix(1);
    constexpr std::string_view kLetters = "ntr\\'\"/";
    constexpr std::string_view kMeant = "\n\t\r\\'\"/";
    if (const std::size_t at = kLetters.find(c); at != std::string_view::npos) {
      *said += kMeant[at];
      return true;
    }
    if (c != 'u' || text_.size() < 4) return false;
    std::string decoded;
    const std::string unit = "\"\\u" + std::string(text_.substr(0, 4)) + "\"";
    if (!decode_json_string(unit, &decoded)) return false;
    text_.remove_prefix(4);
    *said += decoded;
    return true;
  }

  std::string_view text_;
};

class PythonReader : public CallReader {
 public:
  using CallReader::CallReader;

  Progress read(std::string_view text, std::size_t* used, Events* out) override {
    constexpr std::string_view kFence = "```";
    text_ += text;
    *used = text.size();
    const std::size_t end = text_.find(kFence, search_from_);
    if (end == std::string::npos) {
      search_from_ = text_.size() - std::min(text_.size(), kFence.size());
      return Progress::kMore;
    }
    *used = text.size() - (text_.size() - end - kFence.size());
    return parse(std::string_view(text_).substr(0, end), out);
  }

  Progress finish(Events* out) override { return parse(text_, out); }

 private:
  Progress parse(std::string_view text, Events* out) {
    PythonCalls calls(text);
    Events found;
    while (!calls.at_end()) {
      std::string name;
      std::string arguments;
      if (!calls.call(&name, &arguments) || functions().find(name) == nullptr ||
          !is_json_object(arguments)) {
        return Progress::kWrong;
      }
      whole_call(name, std::move(arguments), &found);
    }
    if (found.empty()) return Progress::kWrong;
    out->insert(out->end(), found.begin(), found.end());
    return Progress::kWhole;
  }

  std::string text_;
  std::size_t search_from_ = 0;
};

}  // namespace

std::unique_ptr<CallReader> make_python_reader(const FunctionList* functions) {
  return std::make_unique<PythonReader>(functions);
}

}  // namespace quire::tool_calls
