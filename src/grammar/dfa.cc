#include "grammar/dfa.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace quire::grammar {
namespace {

std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }

// For each state, whether an accepting one can be reached.
std::vector<bool> find_live(const std::vector<Dfa::State>& states) {
  std::vector<std::vector<std::size_t>> sources(states.size());
  std::vector<bool> live(states.size());
  std::vector<std::size_t> open;
  for (std::size_t state = 0; state < states.size(); ++state) {
    for (const Dfa::Edge& edge : states[state].edges) {
      if (edge.target != Dfa::kDead) sources[index(edge.target)].push_back(state);
    }
    if (states[state].accepting) {
      live[state] = true;
      open.push_back(state);
    }
  }
  while (!open.empty()) {
    const std::size_t state = open.back();
    open.pop_back();
    for (const std::size_t source : sources[state]) {
      if (live[source]) continue;
      live[source] = true;
      open.push_back(source);
    }
  }
  return live;
}

Status too_large(const Limits& limits) {
  return invalid_argument("a pattern needs more than " + std::to_string(limits.dfa_states) +
                          " states together with what else is asked of its text; make it simpler");
}

// Calls `take(range, left target, right target)` for the ranges that both states have.
template <typename Take>
void for_common(const Dfa::State& left, const Dfa::State& right, const Take& take) {
  auto a = left.edges.begin();
  auto b = right.edges.begin();
  while (a != left.edges.end() && b != right.edges.end()) {
    const char32_t low = std::max(a->range.first, b->range.first);
    const char32_t high = std::min(a->range.second, b->range.second);
    if (low <= high) take(CodePointSet::Range(low, high), a->target, b->target);
    if (a->range.second < b->range.second) {
      ++a;
    } else {
      ++b;
    }
  }
}

void push_edge(std::vector<Dfa::Edge>* edges, CodePointSet::Range range, std::int32_t target) {
  if (!edges->empty() && edges->back().target == target &&
      edges->back().range.second + 1 == range.first) {
    edges->back().range.second = range.second;
  } else {
    edges->push_back({range, target});
  }
}

}  // namespace

Dfa::Dfa(std::vector<State> states) {
  const std::vector<bool> live = find_live(states);
  if (states.empty() || !live.front()) return;
  std::vector<std::int32_t> renamed(states.size(), kDead);
  std::vector<std::size_t> order = {0};  // those that are reached, too
  renamed[0] = 0;
  for (std::size_t at = 0; at < order.size(); ++at) {
    std::vector<Edge> edges;
    for (const Edge& edge : states[order[at]].edges) {
      if (edge.target == kDead || !live[index(edge.target)]) continue;
      std::int32_t& name = renamed[index(edge.target)];
      if (name == kDead) {
        name = static_cast<std::int32_t>(order.size());
        order.push_back(index(edge.target));
      }
      push_edge(&edges, edge.range, name);
    }
    states_.push_back({std::move(edges), states[order[at]].accepting});
  }
}

std::int32_t Dfa::step(std::int32_t state, char32_t code_point) const {
  for (const Edge& edge : states_[index(state)].edges) {
    if (code_point < edge.range.first) break;
    if (code_point <= edge.range.second) return edge.target;
  }
  return kDead;
}

bool Dfa::accepts(std::string_view text) const {
  if (empty()) return false;
  std::int32_t state = 0;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint next = decode_utf8(text, at);
    at += next.length;
    state = step(state, next.code_point);
    if (state == kDead) return false;
  }
  return states_[index(state)].accepting;
}

Dfa Dfa::complement() const {
  std::vector<State> all = states_;
  const auto sink = static_cast<std::int32_t>(all.size());
  all.push_back({});
  for (State& state : all) {
    state.accepting = !state.accepting;
    std::vector<Edge> edges;
    char32_t next = 0;
    const auto fill = [&](char32_t end) {  // what lies below `end`
      if (next < end) edges.push_back({{next, end - 1}, sink});
    };
    for (const Edge& edge : state.edges) {
      fill(edge.range.first);
      edges.push_back(edge);
      next = edge.range.second + 1;
    }
    fill(CodePointSet::kLast + 1);
    state.edges = std::move(edges);
  }
  return Dfa(std::move(all));
}

Result<Dfa> intersect(const Dfa& left, const Dfa& right, const Limits& limits) {
  if (left.empty() || right.empty()) return Dfa();
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> names = {{{0, 0}, 0}};
  std::vector<std::pair<std::int32_t, std::int32_t>> order = {{0, 0}};
  std::vector<Dfa::State> states;
  for (std::size_t at = 0; at < order.size(); ++at) {
    const Dfa::State& a = left.states()[index(order[at].first)];
    const Dfa::State& b = right.states()[index(order[at].second)];
    Dfa::State state{{}, a.accepting && b.accepting};
    for_common(a, b, [&](CodePointSet::Range range, std::int32_t to_a, std::int32_t to_b) {
      const auto [found, added] =
          names.try_emplace({to_a, to_b}, static_cast<std::int32_t>(order.size()));
      if (added) order.emplace_back(to_a, to_b);
      push_edge(&state.edges, range, found->second);
    });
    states.push_back(std::move(state));
    if (order.size() > limits.dfa_states) return too_large(limits);
  }
  return Dfa(std::move(states));
}

Result<Dfa> length_dfa(int min, int max, const Limits& limits) {
  const int last = std::max(min, max);
  if (static_cast<std::size_t>(last) >= limits.dfa_states) return too_large(limits);
  if (max >= 0 && min > max) return Dfa();
  std::vector<Dfa::State> states;
  for (int count = 0; count <= last; ++count) {
    Dfa::State state{{}, count >= min};
    const int next = count < last ? count + 1 : (max < 0 ? count : Dfa::kDead);
    if (next != Dfa::kDead) state.edges.push_back({{0, CodePointSet::kLast}, next});
    states.push_back(std::move(state));
  }
  return Dfa(std::move(states));
}

Dfa literal_dfa(const std::vector<std::string_view>& texts) {
  std::vector<std::map<char32_t, std::int32_t>> tree(1);
  std::vector<bool> accepting(1);
  for (const std::string_view text : texts) {
    std::size_t state = 0;
    for (std::size_t at = 0; at < text.size();) {
      const DecodedCodePoint next = decode_utf8(text, at);
      at += next.length;
      const auto [found, added] =
          tree[state].try_emplace(next.code_point, static_cast<std::int32_t>(tree.size()));
      state = index(found->second);
      if (!added) continue;
      tree.emplace_back();
      accepting.push_back(false);
    }
    accepting[state] = true;
  }
  std::vector<Dfa::State> states;
  for (std::size_t state = 0; state < tree.size(); ++state) {
    states.push_back({{}, accepting[state]});
    for (const auto& [code_point, target] : tree[state]) {
      states.back().edges.push_back({{code_point, code_point}, target});
    }
  }
  return Dfa(std::move(states));
}

}  // namespace quire::grammar
