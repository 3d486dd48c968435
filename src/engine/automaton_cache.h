#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <utility>

#include "grammar/automaton.h"
#include "grammar/constraint.h"

namespace quire {

// The automata of constraints in use and of those used lately, with the states and masks they have
// made: a mask is paid for once a state, whatever the number of requests. Engine's thread only.
class AutomatonCache {
 public:
  // One automaton a constraint. It runs the constraint's program, so who keeps the one must keep
  // the other.
  std::shared_ptr<grammar::Automaton> find_or_make(
      const std::shared_ptr<const Constraint>& constraint);

 private:
  using Entry = std::pair<std::shared_ptr<const Constraint>, std::shared_ptr<grammar::Automaton>>;
  std::list<Entry> entries_;  // the one used last first
};

}  // namespace quire
