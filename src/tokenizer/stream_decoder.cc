#include "tokenizer/stream_decoder.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace quire {

Result<std::string> StreamDecoder::push(TokenId id) {
  std::string bytes = tokenizer_->token_bytes(id);
  if (bytes.empty()) {
    return invalid_argument("token id " + std::to_string(id) + " is not in the vocabulary");
  }
  if (skip_special_ && tokenizer_->is_special(id)) return std::string();
  bytes.insert(0, held_back_);
  const std::size_t certain = bytes.size() - incomplete_utf8_suffix(bytes);
  held_back_ = bytes.substr(certain);
  return replace_invalid_utf8(std::string_view(bytes).substr(0, certain));
}

std::string StreamDecoder::flush() {
  std::string rest = replace_invalid_utf8(held_back_);
  held_back_.clear();
  return rest;
}

}  // namespace quire
