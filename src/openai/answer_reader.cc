#include "openai/answer_reader.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::openai {
namespace {

using Kind = AnswerPiece::Kind;

// An id that is the same whenever the answer is read.
std::string call_id(const AnswerReading& reading, std::size_t place, std::size_t index) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  // FNV-1a; it only has to differ from call to call.
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : reading.id + ":" + std::to_string(place) + ":" + std::to_string(index)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  std::string text;
  for (int i = 0; i < 9; ++i, hash /= kDigits.size()) text += kDigits[hash % kDigits.size()];
  return reading.tools.short_ids ? text : "call_" + reading.id + text.substr(0, 8);
}

}  // namespace

AnswerReader::AnswerReader(const AnswerReading* reading, std::size_t place)
    : reading_(reading), place_(place), splitter_(reading->markers(), reading->in_reasoning) {
  if (reading->tools.format != tool_calls::Format::kNone) {
    parser_.emplace(reading->tools.format, reading->tools.functions.get());
  }
}

std::vector<AnswerPiece> AnswerReader::feed(std::string_view text) {
  std::vector<AnswerPiece> pieces;
  if (!started_ && parser_) add(parser_->feed(reading_->tools.start), &pieces);
  started_ = true;
  // What goes on from a call's beginning is no text of its own, blanks and all.
  const bool in_call = parser_ && !reading_->tools.start.empty();
  if (in_call) {
    add(parser_->feed(text), &pieces);
  } else {
    sort(splitter_.feed(text), &pieces);
  }
  return pieces;
}

std::vector<AnswerPiece> AnswerReader::finish() {
  std::vector<AnswerPiece> pieces = feed({});
  sort(splitter_.finish(), &pieces);
  if (parser_) add(parser_->finish(), &pieces);
  return pieces;
}

void AnswerReader::sort(const SplitText& split, std::vector<AnswerPiece>* pieces) {
  if (!split.reasoning.empty()) pieces->push_back({Kind::kReasoning, split.reasoning});
  if (split.content.empty()) return;
  if (parser_) {
    add(parser_->feed(split.content), pieces);
  } else {
    pieces->push_back({Kind::kContent, split.content});
  }
}

void AnswerReader::add(const tool_calls::Events& events, std::vector<AnswerPiece>* pieces) {
  using EventKind = tool_calls::Event::Kind;
  for (const tool_calls::Event& event : events) {
    if (event.kind == EventKind::kContent) {
      pieces->push_back({Kind::kContent, event.text});
      continue;
    }
    if (event.kind == EventKind::kBegin) {
      dropped_ = !reading_->tools.parallel && num_whole_ > 0;
      if (!dropped_) ++num_begun_;
    }
    if (dropped_) continue;
    const std::size_t index = num_begun_ - 1;
    switch (event.kind) {
      case EventKind::kBegin:
        pieces->push_back({Kind::kCallBegin, event.text, index, call_id(*reading_, place_, index)});
        break;
      case EventKind::kArguments:
        pieces->push_back({Kind::kCallArguments, event.text, index, {}});
        break;
      case EventKind::kEnd:
        ++num_whole_;
        pieces->push_back({Kind::kCallEnd, {}, index, {}});
        break;
      case EventKind::kBroken:
        pieces->push_back({Kind::kCallBroken, {}, index, {}});
        break;
      case EventKind::kContent:
        break;
    }
  }
}

ReadAnswer read_answer(const AnswerReading& reading, std::size_t place, std::string_view text) {
  AnswerReader reader(&reading, place);
  std::vector<AnswerPiece> pieces = reader.feed(text);
  for (AnswerPiece& piece : reader.finish()) pieces.push_back(std::move(piece));
  ReadAnswer answer;
  for (AnswerPiece& piece : pieces) {
    switch (piece.kind) {
      case Kind::kReasoning:
        answer.reasoning += piece.text;
        break;
      case Kind::kContent:
        answer.content += piece.text;
        break;
      case Kind::kCallBegin:
        answer.calls.push_back(
            {.id = std::move(piece.call_id), .name = std::move(piece.text), .arguments = {}});
        break;
      case Kind::kCallArguments:
        answer.calls.back().arguments += piece.text;
        break;
      case Kind::kCallBroken:
        answer.calls.pop_back();
        break;
      case Kind::kCallEnd:
        break;
    }
  }
  return answer;
}

}  // namespace quire::openai
