#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grammar/expression.h"
#include "quire/result.h"

namespace quire::grammar {

// A grammar as a network of nodes over bytes, with calls: what the automaton runs. Nodes that read
// a byte are deterministic each. From every node that can be reached the end can be, so no text
// that is begun has no end.
//
//   kRanges  reads a byte, goes on where its range says     kCall    the rule, then `next`
//   kSplit   all targets at once                            kReturn  back to who called
//   kToken   reads a token by its id                        kEnter, kAgain  a counted repetition
struct Node {
  enum class Kind : std::uint8_t { kRanges, kSplit, kToken, kCall, kReturn, kEnter, kAgain };
  Kind kind = Kind::kReturn;
  std::int32_t first = 0;  // of ranges or targets; the token, the rule, the repetition
  std::int32_t count = 0;  // of ranges or targets
  std::int32_t next = 0;   // of kToken and kCall; kReturn's node: nothing is left to come back to
};

struct ByteEdge {
  std::uint8_t low;
  std::uint8_t high;
  std::int32_t next;
};

// kEnter begins it, its body ends in kAgain, and after it comes `next`.
struct Repetition {
  std::int32_t body = 0;
  std::int32_t next = 0;
  int min = 0;
  int max = 0;  // -1: without end
};

struct Program {
  std::vector<Node> nodes;
  std::vector<ByteEdge> edges;
  std::vector<std::int32_t> targets;
  std::vector<Repetition> repetitions;
  std::vector<std::int32_t> rule_starts;
  std::int32_t start = 0;
  bool has_tokens = false;

  static constexpr std::int32_t kReturn = 0;  // the one node of that kind
};

// Fails with kInvalidArgument: a grammar over its limits, one that matches nothing, or one that is
// left-recursive.
Result<Program> compile_program(const Grammar& grammar);

}  // namespace quire::grammar
