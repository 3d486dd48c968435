#pragma once

#include <string>
#include <vector>

namespace quire::tool_calls {

// What a stretch of an answer comes to. Calls do not overlap: all events of one stand between its
// kBegin and its kEnd or kBroken.
struct Event {
  enum class Kind {
    kContent,    // text that is said
    kBegin,      // a call: its function's name
    kArguments,  // a piece of the call's arguments, a JSON object in all
    kEnd,        // the call is whole: its arguments are JSON
    kBroken,     // what has begun is no call after all; its text follows as content
  };
  Kind kind = Kind::kContent;
  std::string text = {};
  bool operator==(const Event&) const = default;
};

using Events = std::vector<Event>;

// A whole call.
struct Call {
  std::string name;
  std::string arguments;  // a JSON object, as the model wrote it where it wrote JSON
  bool operator==(const Call&) const = default;
};

// An answer's text in all.
struct Answer {
  std::string content;
  std::vector<Call> calls;
  bool operator==(const Answer&) const = default;
};

// Adds events to an answer.
class Collector {
 public:
  void add(const Events& events);
  const Answer& answer() const { return answer_; }

 private:
  Answer answer_;
};

}  // namespace quire::tool_calls
