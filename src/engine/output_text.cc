#include "engine/output_text.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

OutputText::OutputText(const Tokenizer& tokenizer,
                       std::vector<std::string> stop,
                       bool keep_stop,
                       bool skip_special,
                       bool continues)
    : decoder_(tokenizer, skip_special, continues), stop_(std::move(stop)), keep_stop_(keep_stop) {}

bool OutputText::append(TokenId token, bool may_stop) {
  if (done_) return true;
  // An id from the padding of the vocabulary has no text; the model may still choose it.
  if (const Result<std::string> piece = decoder_.push(token)) text_ += *piece;
  if (!may_stop) {
    search_from_ = text_.size();
    num_certain_ = text_.size();
    return false;
  }
  if (cut_at_stop(search_from_)) return true;
  num_certain_ = text_.size() - num_held_back();
  search_from_ = num_certain_;
  return false;
}

void OutputText::finish() {
  if (done_) return;
  done_ = true;
  text_ += decoder_.flush();
  num_certain_ = text_.size();
}

// Ends the text at the stop string that begins first, if one is there.
bool OutputText::cut_at_stop(std::size_t from) {
  std::size_t begin = std::string::npos;
  std::size_t length = 0;
  for (const std::string& stop : stop_) {
    const std::size_t found = text_.find(stop, from);
    if (found < begin) {
      begin = found;
      length = stop.size();
    }
  }
  if (begin == std::string::npos) return false;
  text_.resize(keep_stop_ ? begin + length : begin);
  num_certain_ = text_.size();
  done_ = true;
  return true;
}

// Length of the longest end of the text that a stop string begins with.
std::size_t OutputText::num_held_back() const {
  const std::string_view open = std::string_view(text_).substr(search_from_);
  std::size_t longest = 0;
  for (const std::string& stop : stop_) {
    std::size_t length = std::min(stop.size() - 1, open.size());
    while (length > longest &&
           !std::string_view(stop).starts_with(open.substr(open.size() - length))) {
      --length;
    }
    longest = std::max(longest, length);
  }
  return longest;
}

}  // namespace quire
