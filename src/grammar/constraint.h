#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/limits.h"
#include "grammar/program.h"
#include "grammar/vocabulary.h"
#include "quire/result.h"
#include "quire/structured_output.h"
#include "quire/types.h"

namespace quire {

// A rule that answers must follow, ready to be run over the tokens of one vocabulary. Immutable:
// made on any thread, shared by all requests that ask for the same.
class Constraint {
 public:
  Constraint(grammar::Program program,
             std::shared_ptr<const grammar::Vocabulary> vocabulary,
             const grammar::Limits& limits)
      : program_(std::move(program)), vocabulary_(std::move(vocabulary)), limits_(limits) {}

  const grammar::Program& program() const { return program_; }
  const grammar::Vocabulary& vocabulary() const { return *vocabulary_; }
  const grammar::Limits& limits() const { return limits_; }

 private:
  grammar::Program program_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  grammar::Limits limits_;
};

namespace grammar {

// Reads and compiles a rule. Fails with kInvalidArgument and one line that names what is wrong and
// where: what is not understood, what would not be enforced, what is over a limit. Its work is
// bounded by the limits.
Result<std::shared_ptr<const Constraint>> compile_constraint(
    const StructuredOutput& output,
    std::shared_ptr<const Vocabulary> vocabulary,
    const Limits& limits = {});

// The same as a program only, for who needs no tokens.
Result<Program> compile_output(const StructuredOutput& output, const Limits& limits = {});

// Where one answer is in its constraint. Copies are independent. Not thread-safe: all matchers of
// an automaton belong to one thread.
class Matcher {
 public:
  // The automaton runs the constraint's program, and is shared by all its matchers. `leading`: the
  // first token begins a text, and loses its leading space with some vocabularies.
  Matcher(std::shared_ptr<const Constraint> constraint,
          std::shared_ptr<Automaton> automaton,
          bool leading);

  // A bit a token that may come next, without the ends of a text. A view until the next call. Fails
  // with kInvalidArgument when the constraint is too ambiguous here.
  Result<std::span<const std::uint64_t>> mask();

  // Goes on by a token; false, and nothing changed, when it does not fit.
  bool push(TokenId token);

  bool may_end();   // the text is whole as it is
  bool must_end();  // and nothing can be added to it

 private:
  void catch_up();

  std::shared_ptr<const Constraint> constraint_;
  std::shared_ptr<Automaton> automaton_;
  std::vector<TokenId> tokens_;  // so far, for when the automaton forgets its states
  bool leading_;
  StateId state_;
  std::uint64_t generation_;
};

}  // namespace grammar
}  // namespace quire
