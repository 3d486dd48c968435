#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tool_calls/event.h"
#include "tool_calls/functions.h"

namespace quire::tool_calls {

enum class Progress { kMore, kWhole, kWrong };

// Reads one call, or for some formats several, from the place where it begins. Text comes in pieces
// of any length, and what is made of it does not depend on where they are cut.
class CallReader {
 public:
  explicit CallReader(const FunctionList* functions) : functions_(functions) {}
  CallReader(const CallReader&) = delete;
  CallReader& operator=(const CallReader&) = delete;
  virtual ~CallReader() = default;

  // kMore: all of `text` is taken and more is needed. kWhole: `used` bytes of it were the rest.
  // kWrong: it is no call.
  virtual Progress read(std::string_view text, std::size_t* used, Events* out) = 0;
  // The answer ends here.
  virtual Progress finish(Events*) { return Progress::kWrong; }

  // Whether it has told of the beginning of a call that has not ended.
  bool has_begun() const { return has_begun_; }

 protected:
  const FunctionList& functions() const { return *functions_; }
  void begin(const std::string& name, Events* out) {
    out->push_back({Event::Kind::kBegin, name});
    has_begun_ = true;
  }
  static void add_arguments(std::string text, Events* out) {
    if (text.empty()) return;
    if (!out->empty() && out->back().kind == Event::Kind::kArguments) {
      out->back().text += text;
    } else {
      out->push_back({Event::Kind::kArguments, std::move(text)});
    }
  }
  void end(Events* out) {
    out->push_back({Event::Kind::kEnd, {}});
    has_begun_ = false;
  }
  void whole_call(const std::string& name, std::string arguments, Events* out) {
    begin(name, out);
    add_arguments(std::move(arguments), out);
    end(out);
  }

 private:
  const FunctionList* functions_;  // outlives this
  bool has_begun_ = false;
};

// {"name": "f", "arguments": {...}}, with "parameters" for "arguments" as well, from the bracket.
std::unique_ptr<CallReader> make_object_reader(const FunctionList* functions);
// f[ARGS]{...}, f[CALL_ID]id[ARGS]{...} or f{...}.
std::unique_ptr<CallReader> make_name_reader(const FunctionList* functions);
// <function=f><parameter=x>text</parameter></function>, from behind the first "=".
std::unique_ptr<CallReader> make_xml_reader(const FunctionList* functions);
// call:f{x:<escape>text<escape>,y:[1,true]}
std::unique_ptr<CallReader> make_escape_reader(const FunctionList* functions);
// f(x=1, y='text'), one or more, a line each, to the end of a fence.
std::unique_ptr<CallReader> make_python_reader(const FunctionList* functions);
// Any text up to `closer` and that, the argument of the one function that takes nothing but a text.
std::unique_ptr<CallReader> make_text_reader(const FunctionList* functions, std::string closer);

}  // namespace quire::tool_calls
