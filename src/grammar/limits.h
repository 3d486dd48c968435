#pragma once

#include <cstddef>
#include <cstdint>

namespace quire::grammar {

// How much a constraint of a stranger's may ask for: one table for every front end. Work is counted
// and not timed, so that the same constraint is refused on every machine, alone or in a crowd.
struct Limits {
  std::size_t text_bytes = 64UL * 1024;  // a schema, a grammar or a pattern
  int nesting = 32;                      // of a schema; of brackets in a pattern or a grammar
  std::size_t choices = 1024;
  std::size_t rules = 20'000;
  std::size_t expressions = 400'000;  // of the syntax tree
  std::size_t nodes = 1'000'000;      // of the automaton, about 40 bytes each
  std::size_t dfa_states = 20'000;    // of one terminal
  std::size_t dfa_work = 4'000'000;   // steps to make one terminal's automaton
  std::size_t schema_work = 20'000;   // schemas looked at, each way to combine them counted
  int repeats = 1'000'000'000;        // the largest count in {m,n}, maxLength and their like
  std::size_t configurations = 1024;  // places in the grammar that one text may be at
  std::size_t mask_work = 4'000'000;  // places looked at for one token's mask
  std::size_t automaton_bytes = 16UL * 1024 * 1024;  // states and masks kept of one constraint
};

// White space between two tokens of JSON, at most: models that may go on with it for ever do.
inline constexpr int kMaxWhitespace = 8;

}  // namespace quire::grammar
