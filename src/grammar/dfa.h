#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/limits.h"
#include "quire/result.h"

namespace quire::grammar {

// A deterministic automaton over code points: the language of a pattern, of a number in a range, of
// a name that is none of some. Immutable once made; small enough to be combined.
class Dfa {
 public:
  static constexpr std::int32_t kDead = -1;
  struct Edge {
    CodePointSet::Range range;
    std::int32_t target;
  };
  struct State {
    std::vector<Edge> edges;  // sorted, without overlap; what is missing is dead
    bool accepting = false;
  };

  Dfa() = default;
  // State 0 is the start; no states: the empty language. What leads nowhere is taken out.
  explicit Dfa(std::vector<State> states);

  const std::vector<State>& states() const { return states_; }
  bool empty() const { return states_.empty(); }
  bool accepts_empty() const { return !empty() && states_.front().accepting; }
  std::int32_t step(std::int32_t state, char32_t code_point) const;
  // A text of well-formed UTF-8.
  bool accepts(std::string_view text) const;

  Dfa complement() const;

 private:
  std::vector<State> states_;
};

// The texts of all languages of `both`. Fails when it grows over the limits.
Result<Dfa> intersect(const Dfa& left, const Dfa& right, const Limits& limits);

// Texts of `min` to `max` code points; max -1: without end. Fails over the limits.
Result<Dfa> length_dfa(int min, int max, const Limits& limits);

// The texts themselves, well-formed UTF-8.
Dfa literal_dfa(const std::vector<std::string_view>& texts);

}  // namespace quire::grammar
