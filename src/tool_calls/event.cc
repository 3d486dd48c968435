#include "tool_calls/event.h"

namespace quire::tool_calls {

void Collector::add(const Events& events) {
  for (const Event& event : events) {
    switch (event.kind) {
      case Event::Kind::kContent:
        answer_.content += event.text;
        break;
      case Event::Kind::kBegin:
        answer_.calls.push_back({.name = event.text, .arguments = {}});
        break;
      case Event::Kind::kArguments:
        answer_.calls.back().arguments += event.text;
        break;
      case Event::Kind::kEnd:
        break;
      case Event::Kind::kBroken:
        answer_.calls.pop_back();
        break;
    }
  }
}

}  // namespace quire::tool_calls
