#include "engine/automaton_cache.h"

#include <iterator>

namespace quire {
namespace {

// Of automata that no request uses.
constexpr std::size_t kMaxEntries = 64;
constexpr std::size_t kMaxBytes = 64UL * 1024 * 1024;

}  // namespace

std::shared_ptr<grammar::Automaton> AutomatonCache::find_or_make(
    const std::shared_ptr<const Constraint>& constraint) {
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->first != constraint) continue;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->second;
  }
  auto automaton = std::make_shared<grammar::Automaton>(
      constraint->program(), constraint->vocabulary(), constraint->limits());
  entries_.emplace_front(constraint, automaton);
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto here = entry++;
    bytes += here->second->num_bytes();
    const bool idle = here->second.use_count() == 1;
    if (++count > kMaxEntries || bytes > kMaxBytes) {
      if (idle) entries_.erase(here);
    }
  }
  return automaton;
}

}  // namespace quire
