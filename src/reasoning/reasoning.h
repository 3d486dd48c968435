#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "quire/tokenizer.h"

namespace quire {

// What stands around a model's thoughts, which come before its answer.
struct ReasoningMarkers {
  std::string open;
  std::string close;
  TokenId open_id = 0;
  TokenId close_id = 0;
  bool special = false;  // left out of a text unless special tokens are kept
};

// The markers that a tokenizer has as tokens; none for a model that does not think.
std::optional<ReasoningMarkers> find_reasoning_markers(const Tokenizer* tokenizer);

// Whether a prompt ends inside a block of thoughts, begun by its template or by the client.
bool ends_in_reasoning(const ReasoningMarkers& markers,
                       const Tokenizer& tokenizer,
                       std::span<const TokenId> prompt);

// How many tokens of an answer are thoughts, their markers included.
std::int64_t count_reasoning_tokens(const ReasoningMarkers& markers,
                                    bool begins_inside,
                                    std::span<const TokenId> answer);

// Follows the tokens of one answer and says when its thoughts must end.
class ReasoningBudget {
 public:
  ReasoningBudget() = default;  // they never must
  // `max_tokens` thoughts at most, over all blocks of them, their markers not counted.
  ReasoningBudget(const ReasoningMarkers& markers, bool begins_inside, int max_tokens)
      : open_id_(markers.open_id),
        close_id_(markers.close_id),
        inside_(begins_inside),
        num_left_(max_tokens) {}

  // The token that has to come next, whatever the model would choose.
  std::optional<TokenId> forced() const {
    return inside_ && num_left_ <= 0 ? close_id_ : std::nullopt;
  }
  // Whether the next token belongs to thoughts.
  bool is_inside() const { return inside_; }
  void push(TokenId token);

 private:
  std::optional<TokenId> open_id_;
  std::optional<TokenId> close_id_;
  bool inside_ = false;
  int num_left_ = 0;
};

// A stretch of an answer, sorted.
struct SplitText {
  std::string reasoning = {};
  std::string content = {};
};

// Sorts an answer's text into thoughts and what is said, as it comes and without the markers and
// the blanks around them. Thoughts are one block at the beginning; a marker further on is text.
class ReasoningSplitter {
 public:
  ReasoningSplitter() = default;  // everything is said
  ReasoningSplitter(const ReasoningMarkers* markers, bool begins_inside);

  SplitText feed(std::string_view text);
  // What was held back, at the end of the answer.
  SplitText finish();

 private:
  enum class State { kBeginning, kInside, kBehind, kContent };
  bool step(SplitText* out, bool last);
  bool begin(SplitText* out, bool last);
  bool think(SplitText* out, bool last);

  const ReasoningMarkers* markers_ = nullptr;  // outlives this
  State state_ = State::kContent;
  bool thought_ = false;  // something came of the thoughts already
  std::string held_;
};

// The same for a whole text.
SplitText split_reasoning(const ReasoningMarkers* markers,
                          bool begins_inside,
                          std::string_view text);

}  // namespace quire
