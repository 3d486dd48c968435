#include <memory>
#include <span>
#include <utility>

#include "grammar/constraint.h"

namespace quire::grammar {

Matcher::Matcher(std::shared_ptr<const Constraint> constraint,
                 std::shared_ptr<Automaton> automaton,
                 bool leading)
    : constraint_(std::move(constraint)),
      automaton_(std::move(automaton)),
      leading_(leading),
      state_(automaton_->start()),
      generation_(automaton_->generation()) {}

// The state once more, if the automaton has forgotten it.
void Matcher::catch_up() {
  if (generation_ == automaton_->generation()) return;
  state_ = automaton_->start();
  generation_ = automaton_->generation();
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    state_ = automaton_->step_token(state_, tokens_[i], leading_ && i == 0);
  }
}

Result<std::span<const std::uint64_t>> Matcher::mask() {
  automaton_->make_room();
  catch_up();
  const auto mask = automaton_->mask(state_, leading_ && tokens_.empty());
  if (!mask.empty()) return mask;
  return invalid_argument(
      "the constraint is too ambiguous to go on with the answer; write it so that each text can "
      "be read in few ways");
}

bool Matcher::push(TokenId token) {
  catch_up();
  const StateId next = automaton_->step_token(state_, token, leading_ && tokens_.empty());
  if (next < 0) return false;
  tokens_.push_back(token);
  state_ = next;
  return true;
}

bool Matcher::may_end() {
  catch_up();
  return automaton_->accepting(state_);
}

bool Matcher::must_end() {
  catch_up();
  return automaton_->must_end(state_);
}

}  // namespace quire::grammar
