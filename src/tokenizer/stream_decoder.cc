#include "tokenizer/stream_decoder.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace quire {

Result<std::string> StreamDecoder::push(TokenId id) {
  std::string bytes = tokenizer_->token_bytes(id);
  if (bytes.empty()) {
    return invalid_argument("token id " + std::to_string(id) +
                            " is not in the vocabulary; give ids of this model");
  }
  if (skip_special_ && tokenizer_->is_special(id)) return std::string();
  const std::size_t size = bytes.size();
  if (is_first_) bytes = tokenizer_->leading_token_bytes(id);
  const std::size_t num_dropped = is_first_ ? size - bytes.size() : 0;
  is_first_ = false;
  if (tokenizer_->is_byte_token(id)) {
    if (run_.empty()) run_drop_ = num_dropped;
    run_ += tokenizer_->token_bytes(id);
    return std::string();
  }
  const std::string before = end_run();
  bytes.insert(0, held_back_);
  const std::size_t certain = bytes.size() - incomplete_utf8_suffix(bytes);
  held_back_ = bytes.substr(certain);
  return before + replace_invalid_utf8(std::string_view(bytes).substr(0, certain));
}

// The text of the bytes that stand alone as tokens: all of it, or none.
std::string StreamDecoder::end_run() {
  std::string text;
  if (find_invalid_utf8(run_) == std::string_view::npos) {
    text = run_.substr(run_drop_);
  } else {
    for (std::size_t i = 0; i < run_.size(); ++i) text += "\uFFFD";
  }
  run_.clear();
  run_drop_ = 0;
  return text;
}

std::string StreamDecoder::flush() {
  std::string rest = end_run() + replace_invalid_utf8(held_back_);
  held_back_.clear();
  is_first_ = true;
  return rest;
}

}  // namespace quire
