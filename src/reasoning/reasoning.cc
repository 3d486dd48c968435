#include "reasoning/reasoning.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace quire {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// As published tokenizers have them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kMarkers = {{
    {"<think>", "</think>"},
    {"[THINK]", "[/THINK]"},
    {"<seed:think>", "</seed:think>"},
    {"<|START_THINKING|>", "<|END_THINKING|>"},
    {"<|think_start|>", "<|think_end|>"},
}};

// Length of the longest end of `text` that `marker` begins with, but not all of it.
std::size_t begun_at_end(std::string_view text, std::string_view marker) {
  std::size_t length = std::min(text.size(), marker.size() - 1);
  while (length > 0 && !marker.starts_with(text.substr(text.size() - length))) --length;
  return length;
}

}  // namespace

std::optional<ReasoningMarkers> find_reasoning_markers(const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) return std::nullopt;
  for (const auto& [open, close] : kMarkers) {
    const auto open_id = tokenizer->id_of(open);
    const auto close_id = tokenizer->id_of(close);
    if (!open_id || !close_id) continue;
    return ReasoningMarkers{
        .open = std::string(open),
        .close = std::string(close),
        .open_id = *open_id,
        .close_id = *close_id,
        .special = tokenizer->is_special(*open_id) || tokenizer->is_special(*close_id)};
  }
  return std::nullopt;
}

bool ends_in_reasoning(const ReasoningMarkers& markers,
                       const Tokenizer& tokenizer,
                       std::span<const TokenId> prompt) {
  // Back to the beginning of the turn: what stands before it is of other messages.
  for (std::size_t i = prompt.size(); i > 0; --i) {
    const TokenId id = prompt[i - 1];
    if (id == markers.open_id) return true;
    if (id == markers.close_id || tokenizer.is_special(id)) return false;
  }
  return false;
}

std::int64_t count_reasoning_tokens(const ReasoningMarkers& markers,
                                    bool begins_inside,
                                    std::span<const TokenId> answer) {
  if (!begins_inside && std::ranges::find(answer, markers.open_id) == answer.end()) return 0;
  const auto close = std::ranges::find(answer, markers.close_id);
  return (close - answer.begin()) + (close == answer.end() ? 0 : 1);
}

void ReasoningBudget::push(TokenId token) {
  if (token == open_id_) {
    inside_ = true;
  } else if (token == close_id_) {
    inside_ = false;
  } else if (inside_) {
    --num_left_;
  }
}

ReasoningSplitter::ReasoningSplitter(const ReasoningMarkers* markers, bool begins_inside)
    : markers_(markers),
      state_(markers == nullptr ? State::kContent
             : begins_inside    ? State::kInside
                                : State::kBeginning) {}

SplitText ReasoningSplitter::feed(std::string_view text) {
  SplitText out;
  held_ += text;
  while (step(&out, /*last=*/false)) continue;
  return out;
}

SplitText ReasoningSplitter::finish() {
  SplitText out;
  while (step(&out, /*last=*/true)) continue;
  return out;
}

// Whether there may be more to do with what is held.
bool ReasoningSplitter::step(SplitText* out, bool last) {
  if (held_.empty()) return false;
  switch (state_) {
    case State::kBeginning:
      return begin(out, last);
    case State::kInside:
      return think(out, last);
    case State::kBehind: {
      const std::size_t first = held_.find_first_not_of(kBlanks);
      held_.erase(0, first);
      if (!held_.empty()) state_ = State::kContent;
      return !held_.empty();
    }
    case State::kContent:
      out->content += std::exchange(held_, {});
      return false;
  }
  return false;
}

bool ReasoningSplitter::begin(SplitText*, bool last) {
  const std::size_t first = held_.find_first_not_of(kBlanks);
  const std::string_view begun =
      first == std::string::npos ? std::string_view() : std::string_view(held_).substr(first);
  if (begun.starts_with(markers_->open)) {
    held_.erase(0, first + markers_->open.size());
    state_ = State::kInside;
    return true;
  }
  if (!last && markers_->open.starts_with(begun)) return false;  // it may still become one
  state_ = State::kContent;
  return true;
}

bool ReasoningSplitter::think(SplitText* out, bool last) {
  const std::size_t close = held_.find(markers_->close);
  const bool closed = close != std::string::npos;
  std::size_t end = closed ? close : held_.size();
  if (!closed && !last) end -= begun_at_end(held_, markers_->close);
  const std::size_t end_of_text = std::string_view(held_).substr(0, end).find_last_not_of(kBlanks);
  std::string text = held_.substr(0, end_of_text == std::string::npos ? 0 : end_of_text + 1);
  held_.erase(0, closed ? close + markers_->close.size() : text.size());
  if (!thought_) text.erase(0, text.find_first_not_of(kBlanks));
  thought_ = thought_ || !text.empty();
  out->reasoning += text;
  if (closed) state_ = State::kBehind;
  if (!closed && last) held_.clear();
  return closed;
}

SplitText split_reasoning(const ReasoningMarkers* markers,
                          bool begins_inside,
                          std::string_view text) {
  ReasoningSplitter splitter(markers, begins_inside);
  SplitText split = splitter.feed(text);
  SplitText rest = splitter.finish();
  split.reasoning += rest.reasoning;
  split.content += rest.content;
  return split;
}

}  // namespace quire
