#include "engine/output_parts.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

void OutputParts::begin(PartKind kind) {
  Part part{.kind = kind, .text = {}};
  if (tokenizer_ != nullptr && kind == PartKind::kText) {
    part.text.emplace(*tokenizer_,
                      params_->stop,
                      params_->include_stop_str_in_output,
                      params_->skip_special_tokens,
                      continues_ && parts_.empty());
  } else if (tokenizer_ != nullptr) {
    // A call is shown as the tool reads it, special tokens and all.
    part.text.emplace(*tokenizer_, std::vector<std::string>{}, false, false);
  }
  finish();
  parts_.push_back(std::move(part));
}

bool OutputParts::append(TokenId token, const TokenPlace& place, bool may_stop) {
  if (parts_.empty() || place.begins || parts_.back().kind != place.kind) begin(place.kind);
  Part& part = parts_.back();
  ++part.num_tokens;
  if (!place.shown || !part.text) return false;
  return part.text->append(token, may_stop);
}

void OutputParts::finish() {
  if (!parts_.empty() && parts_.back().text) parts_.back().text->finish();
}

std::string OutputParts::text() const {
  std::string text;
  for (const Part& part : parts_) {
    if (part.kind == PartKind::kText && part.text) text += part.text->text();
  }
  return text;
}

std::vector<OutputPart> OutputParts::parts() const {
  const auto is_text = [](const Part& part) { return part.kind == PartKind::kText; };
  std::vector<OutputPart> parts;
  if (std::ranges::all_of(parts_, is_text)) return parts;
  for (const Part& part : parts_) {
    const std::string_view text = part.text ? part.text->text() : std::string_view();
    if (is_text(part) && text.empty()) continue;  // the end of sequence alone
    parts.push_back({.kind = part.kind, .text = std::string(text)});
  }
  return parts;
}

std::vector<TextDelta> OutputParts::unsent(std::span<const TokenId> ids) const {
  std::vector<TextDelta> deltas;
  std::size_t at = num_ids_sent_;
  for (std::size_t i = first_unsent_; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    TextDelta delta;
    delta.kind = part.kind;
    if (part.text) delta.text = std::string(part.text->text().substr(part.num_bytes_sent));
    const std::size_t num_new = part.num_tokens - part.num_tokens_sent;
    const std::span<const TokenId> new_ids = ids.subspan(at, num_new);
    delta.token_ids.assign(new_ids.begin(), new_ids.end());
    at += num_new;
    // The part before the first new one may have nothing left to say.
    if (num_new > 0 || !delta.text.empty()) deltas.push_back(std::move(delta));
  }
  if (deltas.empty()) deltas.emplace_back();
  return deltas;
}

void OutputParts::mark_sent() {
  for (std::size_t i = first_unsent_; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    num_ids_sent_ += part.num_tokens - part.num_tokens_sent;
    part.num_tokens_sent = part.num_tokens;
    if (part.text) part.num_bytes_sent = part.text->text().size();
  }
  // The last part goes on, or has yet to say what it holds back.
  if (!parts_.empty()) first_unsent_ = parts_.size() - 1;
}

}  // namespace quire
