#include "engine/tool_loop.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quire {

ToolCallTracker::Event ToolCallTracker::push(const ToolMarkers& markers, TokenId token) {
  if (token == markers.call_begin) {
    is_open_ = true;
    call_.clear();
    return Event::kBegin;
  }
  if (!is_open_) return Event::kOutside;
  if (token == markers.call_end) {
    is_open_ = false;
    return Event::kEnd;
  }
  call_.push_back(token);
  return Event::kInside;
}

std::vector<TokenId> ToolLoop::answer(std::span<const TokenId> call) const {
  if (call.empty()) return {};
  const Result<std::string> text = tokenizer_->decode(call, false);
  if (!text) return {};  // an id from the padding of the vocabulary: no text, so no call
  const std::optional<std::string> result = tool_(*text);
  if (!result) return {};
  const Result<std::vector<TokenId>> ids = tokenizer_->encode(*result);
  if (!ids) return {};  // a tool that answers with something else than UTF-8
  std::vector<TokenId> answer;
  answer.reserve(ids->size() + 2);
  if (markers_.result_begin) answer.push_back(*markers_.result_begin);
  answer.insert(answer.end(), ids->begin(), ids->end());
  if (markers_.result_end) answer.push_back(*markers_.result_end);
  return answer;
}

}  // namespace quire
