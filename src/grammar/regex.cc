#include "grammar/regex.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/regex_tree.h"

namespace quire::grammar {
namespace {

using Kind = RegexTree::Kind;

bool has_anchor(const RegexTree& tree) {
  return tree.kind == Kind::kBegin || tree.kind == Kind::kEnd ||
         std::ranges::any_of(tree.children, has_anchor);
}

// Takes out anchors that stand at an end of the whole, where they say nothing.
void strip_anchors(RegexTree* tree, bool at_begin, bool at_end) {
  if (tree->kind == Kind::kAlt) {
    for (RegexTree& child : tree->children) strip_anchors(&child, at_begin, at_end);
    return;
  }
  if ((tree->kind == Kind::kBegin && at_begin) || (tree->kind == Kind::kEnd && at_end)) {
    *tree = RegexTree{};
    return;
  }
  if (tree->kind != Kind::kConcat) return;
  auto& children = tree->children;
  while (at_begin && !children.empty() && children.front().kind == Kind::kBegin) {
    children.erase(children.begin());
  }
  while (at_end && !children.empty() && children.back().kind == Kind::kEnd) children.pop_back();
  if (children.empty()) return;
  strip_anchors(&children.front(), at_begin, at_end && children.size() == 1);
  if (children.size() > 1) strip_anchors(&children.back(), false, at_end);
}

bool is_single(const CodePointSet& set) {
  return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].second;
}

ExprId expression_of(const RegexTree& tree, Spelling spelling, Grammar* grammar) {
  switch (tree.kind) {
    case Kind::kSet: {
      if (spelling != Spelling::kPlain || !is_single(tree.set)) {
        return grammar->one_of(tree.set, spelling);
      }
      std::string bytes;
      append_utf8(tree.set.ranges()[0].first, &bytes);
      return grammar->bytes(std::move(bytes));
    }
    case Kind::kConcat: {
      std::vector<ExprId> parts;
      std::string run;  // of single characters
      const auto end_run = [&] {
        if (!run.empty()) parts.push_back(grammar->bytes(std::exchange(run, {})));
      };
      for (const RegexTree& child : tree.children) {
        if (spelling == Spelling::kPlain && child.kind == Kind::kSet && is_single(child.set)) {
          append_utf8(child.set.ranges()[0].first, &run);
          continue;
        }
        end_run();
        parts.push_back(expression_of(child, spelling, grammar));
      }
      end_run();
      return grammar->concat(std::move(parts));
    }
    case Kind::kAlt: {
      std::vector<ExprId> ways;
      for (const RegexTree& child : tree.children) {
        ways.push_back(expression_of(child, spelling, grammar));
      }
      return grammar->alt(std::move(ways));
    }
    case Kind::kRepeat:
      return grammar->repeat(
          expression_of(tree.children.front(), spelling, grammar), tree.min, tree.max);
    case Kind::kBegin:
    case Kind::kEnd:
      break;
  }
  return grammar->never();
}

// Thompson's automaton of a tree, and the deterministic one of its subsets.
class Determinizer {
 public:
  Determinizer(const RegexTree& tree, bool search, const Limits& limits) : limits_(limits) {
    final_ = add();
    if (search) nodes_[final_].reads.push_back({CodePointSet::any(), final_});
    const std::size_t begin = build(tree, final_);
    start_ = begin;
    if (!search) return;
    start_ = add();
    nodes_[start_].free.push_back(begin);
    nodes_[start_].reads.push_back({CodePointSet::any(), start_});
  }

  Result<Dfa> run();

 private:
  struct Read {
    CodePointSet set;
    std::size_t target;
  };
  struct Node {
    std::vector<Read> reads;
    std::vector<std::size_t> free;      // without reading
    std::vector<std::size_t> at_begin;  // the same, before the first character only
    std::vector<std::size_t> at_end;    // the same, behind the last
  };
  using Set = std::vector<std::size_t>;

  std::size_t add() {
    if (nodes_.size() >= limits_.dfa_work / 16) {
      full_ = true;
      return 0;
    }
    nodes_.emplace_back();
    return nodes_.size() - 1;
  }
  std::size_t build(const RegexTree& tree, std::size_t next);
  std::size_t build_repeat(const RegexTree& tree, std::size_t next);
  Set closure(const Set& from, bool at_begin, bool at_end);
  std::int32_t name(const Set& raw, bool at_begin);
  Dfa::State expand(const Set& set, bool at_begin);

  const Limits& limits_;
  std::vector<Node> nodes_;
  std::size_t start_ = 0;
  std::size_t final_ = 0;
  std::map<Set, std::int32_t> raw_names_;
  std::map<Set, std::int32_t> names_;
  std::vector<Set> sets_;
  std::size_t work_ = 0;
  bool full_ = false;
};

std::size_t Determinizer::build_repeat(const RegexTree& tree, std::size_t next) {
  const RegexTree& child = tree.children.front();
  if (tree.max < 0) {
    const std::size_t loop = add();
    const std::size_t body = build(child, loop);
    nodes_[loop].free = {body, next};
    next = loop;
  } else {
    const std::size_t end = next;
    for (int i = tree.min; i < tree.max && !full_; ++i) {
      const std::size_t optional = add();
      const std::size_t body = build(child, next);
      nodes_[optional].free = {body, end};
      next = optional;
    }
  }
  for (int i = 0; i < tree.min && !full_; ++i) next = build(child, next);
  return next;
}

std::size_t Determinizer::build(const RegexTree& tree, std::size_t next) {
  switch (tree.kind) {
    case Kind::kSet: {
      const std::size_t node = add();
      nodes_[node].reads.push_back({tree.set, next});
      return node;
    }
    case Kind::kConcat:
      for (std::size_t i = tree.children.size(); i-- > 0;) next = build(tree.children[i], next);
      return next;
    case Kind::kAlt: {
      const std::size_t node = add();
      for (const RegexTree& child : tree.children) {
        const std::size_t way = build(child, next);
        nodes_[node].free.push_back(way);
      }
      return node;
    }
    case Kind::kRepeat:
      return build_repeat(tree, next);
    case Kind::kBegin:
    case Kind::kEnd: {
      const std::size_t node = add();
      (tree.kind == Kind::kBegin ? nodes_[node].at_begin : nodes_[node].at_end).push_back(next);
      return node;
    }
  }
  return next;
}

Determinizer::Set Determinizer::closure(const Set& from, bool at_begin, bool at_end) {
  Set all = from;
  std::vector<bool> seen(nodes_.size());
  for (const std::size_t node : from) seen[node] = true;
  const auto reach = [&](const std::vector<std::size_t>& targets) {
    for (const std::size_t target : targets) {
      if (!seen[target]) all.push_back(target);
      seen[target] = true;
    }
  };
  for (std::size_t at = 0; at < all.size(); ++at) {
    const Node& node = nodes_[all[at]];
    reach(node.free);
    if (at_begin) reach(node.at_begin);
    if (at_end) reach(node.at_end);
  }
  std::ranges::sort(all);
  work_ += all.size() + nodes_.size() / 64;
  return all;
}

std::int32_t Determinizer::name(const Set& raw, bool at_begin) {
  if (!at_begin) {
    if (const auto known = raw_names_.find(raw); known != raw_names_.end()) return known->second;
  }
  Set set = closure(raw, at_begin, false);
  // The start is a state of its own: nothing comes back to before the first character.
  std::int32_t id = static_cast<std::int32_t>(sets_.size());
  if (!at_begin) {
    const auto [found, added] = names_.try_emplace(set, id);
    raw_names_[raw] = found->second;
    if (!added) return found->second;
  }
  sets_.push_back(std::move(set));
  return id;
}

Dfa::State Determinizer::expand(const Set& set, bool at_begin) {
  Dfa::State state;
  const Set ends = closure(set, at_begin, true);
  state.accepting = std::ranges::binary_search(ends, final_);
  // Where the sets of characters begin and end, and what they lead to.
  std::map<char32_t, std::pair<Set, Set>> changes;
  for (const std::size_t node : set) {
    for (const Read& read : nodes_[node].reads) {
      for (const auto& [low, high] : read.set.ranges()) {
        changes[low].first.push_back(read.target);
        changes[high + 1].second.push_back(read.target);
        ++work_;
      }
    }
  }
  std::map<std::size_t, int> active;
  for (auto change = changes.begin(); change != changes.end(); ++change) {
    for (const std::size_t target : change->second.first) ++active[target];
    for (const std::size_t target : change->second.second) {
      if (--active[target] == 0) active.erase(target);
    }
    if (active.empty()) continue;
    Set raw;
    for (const auto& [target, count] : active) raw.push_back(target);
    work_ += raw.size();
    state.edges.push_back({{change->first, std::next(change)->first - 1}, name(raw, false)});
  }
  return state;
}

Result<Dfa> Determinizer::run() {
  const auto too_large = [this] {
    return invalid_argument("a pattern needs more than " + std::to_string(limits_.dfa_states) +
                            " states or takes too much work to compile; make it simpler");
  };
  if (full_) return too_large();
  name({start_}, true);
  std::vector<Dfa::State> states;
  for (std::size_t at = 0; at < sets_.size(); ++at) {
    const Set set = sets_[at];
    states.push_back(expand(set, at == 0));
    if (sets_.size() > limits_.dfa_states || work_ > limits_.dfa_work) return too_large();
  }
  return Dfa(std::move(states));
}

}  // namespace

Result<ExprId> regex_expression(std::string_view pattern, Spelling spelling, Grammar* grammar) {
  QUIRE_ASSIGN(RegexTree tree, parse_regex(pattern, grammar->limits()));
  strip_anchors(&tree, true, true);
  if (!has_anchor(tree)) return expression_of(tree, spelling, grammar);
  QUIRE_ASSIGN(Dfa dfa, Determinizer(tree, false, grammar->limits()).run());
  return grammar->dfa(std::make_shared<const Dfa>(std::move(dfa)), spelling);
}

Result<Dfa> regex_dfa(std::string_view pattern, bool search, const Limits& limits) {
  QUIRE_ASSIGN(const RegexTree tree, parse_regex(pattern, limits));
  return Determinizer(tree, search, limits).run();
}

}  // namespace quire::grammar
