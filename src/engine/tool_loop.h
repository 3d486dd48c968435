#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"
#include "quire/tokenizer.h"
#include "quire/types.h"

namespace quire {

// The ids between which a model writes a call, and those its result is put between. A result marker
// may be missing.
struct ToolMarkers {
  TokenId call_begin = 0;
  TokenId call_end = 0;
  std::optional<TokenId> result_begin;
  std::optional<TokenId> result_end;
};

// What a call's text comes to; nothing when it comes to nothing. Must return soon, must not throw.
using Tool = std::function<std::optional<std::string>(std::string_view call)>;

// Follows the tokens of one sequence through its calls. A plain value without failures.
class ToolCallTracker {
 public:
  enum class Event {
    kOutside,  // no part of a call; an end without a beginning too
    kBegin,    // opens a call; one that was open is forgotten
    kInside,   // a part of the call
    kEnd,      // closes the call: call() is complete
  };

  Event push(const ToolMarkers& markers, TokenId token);
  bool is_open() const { return is_open_; }
  std::span<const TokenId> call() const { return call_; }

 private:
  bool is_open_ = false;
  std::vector<TokenId> call_;
};

// A tool with its markers: answers calls in tokens. Immutable; one serves all sequences. The
// tokenizer must outlive it.
class ToolLoop {
 public:
  ToolLoop(const ToolMarkers& markers, Tool tool, const Tokenizer* tokenizer)
      : markers_(markers), tool_(std::move(tool)), tokenizer_(tokenizer) {}

  const ToolMarkers& markers() const { return markers_; }

  // The result of a call with its markers, to be put behind it; empty when there is none: the call
  // is empty, no text, or comes to nothing.
  std::vector<TokenId> answer(std::span<const TokenId> call) const;

 private:
  ToolMarkers markers_;
  Tool tool_;
  const Tokenizer* tokenizer_;
};

}  // namespace quire
