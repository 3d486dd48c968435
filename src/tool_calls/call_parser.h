#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tool_calls/call_reader.h"
#include "tool_calls/event.h"
#include "tool_calls/format.h"
#include "tool_calls/functions.h"

namespace quire::tool_calls {

// How much of an answer may be one call; more is no call.
struct CallLimits {
  std::size_t call_bytes = 256 * 1024;
  // Texts that look like a call and are none, each looked through for others; behind that many all
  // is content.
  int broken_calls = 64;
};

// Sorts an answer's text into content and calls, as it comes. What the events say in all depends on
// the text and not on where it is cut. What is no call (of a function that is not in the list, of
// JSON that is none or not finished) comes back as content, all of it with its markers; blanks
// around calls say nothing.
class CallParser {
 public:
  // `functions` must outlive this.
  CallParser(Format format, const FunctionList* functions, const CallLimits& limits = {});

  Events feed(std::string_view text);
  // The answer ends: what was held back is told.
  Events finish();

 private:
  enum class State { kStart, kText, kInside, kBehind };

  bool step(bool last, Events* out);
  bool start(bool last);
  bool text(bool last, Events* out);
  bool inside(bool last, Events* out);
  bool behind(bool last);
  bool pick_reader(bool last, Events* out);
  bool give_up(Events* out);
  void enter(std::size_t opener_end);
  void say(std::string text, Events* out);

  Format format_;
  const Syntax& syntax_;
  const FunctionList* functions_;
  CallLimits limits_;
  State state_ = State::kStart;
  std::string held_;      // not yet sorted
  std::string raw_;       // of what may be a call, from the blanks before it on
  std::size_t head_ = 0;  // of that, blanks and opener
  std::unique_ptr<CallReader> reader_;
  bool in_block_ = false;  // another call may follow without an opener
  bool in_list_ = false;   // within brackets
  bool said_ = false;
  int num_broken_ = 0;
};

// The same for a whole text.
Answer parse_answer(Format format, const FunctionList& functions, std::string_view text);

}  // namespace quire::tool_calls
