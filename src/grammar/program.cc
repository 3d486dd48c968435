#include "grammar/program.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/byte_tree.h"

namespace quire::grammar {
namespace {

using Kind = Expr::Kind;
constexpr std::int32_t kNever = 1;  // a split without targets

std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }

// Makes nodes from the end backwards: each expression knows where it goes on.
class Lowering {
 public:
  explicit Lowering(const Grammar& grammar) : grammar_(grammar), facts_(find_facts(grammar)) {}

  Result<Program> run();

 private:
  // An alternative as the bytes it begins with and what comes behind them.
  struct Alternative {
    std::string_view prefix;
    std::vector<ExprId> rest;
  };
  // `next`: where to go on. `strict`: the empty text is not to match.
  std::int32_t lower(ExprId id, std::int32_t next, bool strict = false);
  std::int32_t lower_bytes(std::string_view bytes, std::int32_t next);
  std::int32_t lower_class(const CodePointSet& set, Spelling spelling, std::int32_t next);
  std::int32_t lower_sequences(std::vector<ByteSequence> sequences, std::size_t depth);
  std::int32_t lower_dfa(const Expr& expr, std::int32_t next, bool strict);
  std::int32_t lower_concat(std::span<const ExprId> children, std::int32_t next, bool strict);
  std::int32_t lower_alternatives(std::vector<Alternative> alternatives, std::int32_t next);
  std::int32_t lower_repeat(const Expr& expr, std::int32_t next, bool strict);
  std::int32_t lower_loop(ExprId child, bool nullable, bool at_least_once, std::int32_t next);
  std::int32_t lower_rule(RuleId rule, std::int32_t next, bool strict);
  Alternative split_prefix(ExprId id) const;

  std::int32_t add(Node node);
  std::int32_t split(const std::vector<std::int32_t>& targets);
  std::int32_t byte_node(const std::vector<std::pair<ByteSet, std::int32_t>>& ways);
  void set_split(std::int32_t node, const std::vector<std::int32_t>& targets);

  const Grammar& grammar_;
  RuleFacts facts_;
  Program program_;
  std::map<std::pair<RuleId, bool>, std::int32_t> rule_names_;  // a rule as it is and strict
  std::vector<std::pair<RuleId, bool>> rule_order_;
  using SpelledSet = std::pair<const std::pair<CodePointSet, Spelling>, std::vector<ByteSequence>>;
  std::int32_t lower_spelled(const SpelledSet& spelled, std::int32_t next);
  std::map<std::pair<const SpelledSet*, std::int32_t>, std::int32_t> classes_;
  std::map<std::pair<CodePointSet, Spelling>, std::vector<ByteSequence>> spelled_;
  std::map<const SpelledSet*, std::int32_t> class_rules_;  // large ones, called as rules
  std::vector<const SpelledSet*> class_order_;
  bool full_ = false;
};

std::int32_t Lowering::add(Node node) {
  if (program_.nodes.size() >= grammar_.limits().nodes) full_ = true;
  if (full_) return kNever;
  program_.nodes.push_back(node);
  return static_cast<std::int32_t>(program_.nodes.size() - 1);
}

void Lowering::set_split(std::int32_t node, const std::vector<std::int32_t>& targets) {
  program_.nodes[index(node)] = {.kind = Node::Kind::kSplit,
                                 .first = static_cast<std::int32_t>(program_.targets.size()),
                                 .count = static_cast<std::int32_t>(targets.size())};
  program_.targets.insert(program_.targets.end(), targets.begin(), targets.end());
}

std::int32_t Lowering::split(const std::vector<std::int32_t>& targets) {
  std::vector<std::int32_t> kept;
  for (const std::int32_t target : targets) {
    if (target != kNever && std::ranges::find(kept, target) == kept.end()) kept.push_back(target);
  }
  if (kept.empty()) return kNever;
  if (kept.size() == 1) return kept.front();
  const std::int32_t node = add({});
  if (node != kNever) set_split(node, kept);
  return node;
}

// A node that reads one byte. The sets do not overlap.
std::int32_t Lowering::byte_node(const std::vector<std::pair<ByteSet, std::int32_t>>& ways) {
  std::vector<ByteEdge> edges;
  for (const auto& [set, next] : ways) {
    for (int low = 0; low < 256; ++low) {
      if (!set.has(static_cast<std::uint8_t>(low))) continue;
      int high = low;
      while (high < 255 && set.has(static_cast<std::uint8_t>(high + 1))) ++high;
      edges.push_back({static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high), next});
      low = high;
    }
  }
  std::ranges::sort(edges, {}, &ByteEdge::low);
  const Node node{.kind = Node::Kind::kRanges,
                  .first = static_cast<std::int32_t>(program_.edges.size()),
                  .count = static_cast<std::int32_t>(edges.size())};
  program_.edges.insert(program_.edges.end(), edges.begin(), edges.end());
  return add(node);
}

std::int32_t Lowering::lower_bytes(std::string_view bytes, std::int32_t next) {
  for (std::size_t i = bytes.size(); i-- > 0;) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    program_.edges.push_back({byte, byte, next});
    next = add({.kind = Node::Kind::kRanges,
                .first = static_cast<std::int32_t>(program_.edges.size() - 1),
                .count = 1});
  }
  return next;
}

std::int32_t Lowering::lower_class(const CodePointSet& set, Spelling spelling, std::int32_t next) {
  auto [spelled, added] = spelled_.try_emplace({set, spelling});
  if (added) spelled->second = spell(set, spelling);
  constexpr std::size_t kLarge = 24;  // a set that is made once and called
  if (spelled->second.size() <= kLarge) return lower_spelled(*spelled, next);
  const auto [rule, is_new] =
      class_rules_.try_emplace(&*spelled, static_cast<std::int32_t>(rule_order_.size()));
  if (is_new) {
    class_order_.push_back(&*spelled);
    rule_order_.emplace_back(-static_cast<RuleId>(class_order_.size()), false);
  }
  return add({.kind = Node::Kind::kCall, .first = rule->second, .next = next});
}

std::int32_t Lowering::lower_spelled(const SpelledSet& spelled, std::int32_t next) {
  const auto key = std::pair(&spelled, next);
  const auto found = classes_.find(key);
  if (found != classes_.end()) return found->second;
  // A tree from the root down; equal ends of it are shared.
  std::map<std::vector<ByteSequence>, std::int32_t> shared;
  const auto build = [&](const auto& self, const std::vector<ByteSequence>& rest) -> std::int32_t {
    if (rest.size() == 1 && rest.front().empty()) return next;
    if (const auto known = shared.find(rest); known != shared.end()) return known->second;
    std::map<ByteSet, std::vector<ByteSequence>> groups;
    for (const ByteSequence& sequence : rest) {
      groups[sequence.front()].emplace_back(sequence.begin() + 1, sequence.end());
    }
    std::vector<std::pair<ByteSet, std::int32_t>> ways;
    for (const auto& [first, tails] : groups) ways.emplace_back(first, self(self, tails));
    return shared[rest] = byte_node(ways);
  };
  return classes_[key] = build(build, spelled.second);
}

std::int32_t Lowering::lower_dfa(const Expr& expr, std::int32_t next, bool strict) {
  const std::vector<Dfa::State>& states = grammar_.dfa(expr).states();
  if (states.empty()) return kNever;
  std::vector<std::int32_t> nodes;
  for (std::size_t i = 0; i < states.size(); ++i) nodes.push_back(add({}));
  if (full_) return kNever;
  std::int32_t first = kNever;
  for (std::size_t i = 0; i < states.size(); ++i) {
    std::map<std::int32_t, std::vector<CodePointSet::Range>> by_target;
    for (const Dfa::Edge& edge : states[i].edges) by_target[edge.target].push_back(edge.range);
    std::vector<std::int32_t> ways;
    for (auto& [target, ranges] : by_target) {
      ways.push_back(
          lower_class(CodePointSet(std::move(ranges)), expr.spelling, nodes[index(target)]));
    }
    if (i == 0 && strict) first = split(ways);
    if (states[i].accepting) ways.push_back(next);
    set_split(nodes[i], ways);
  }
  return strict ? first : nodes.front();
}

std::int32_t Lowering::lower_concat(std::span<const ExprId> children,
                                    std::int32_t next,
                                    bool strict) {
  // Strict: one of the children reads something, those before it nothing.
  std::int32_t some = kNever;
  std::int32_t any = next;
  for (std::size_t i = children.size(); i-- > 0;) {
    const ExprId child = children[i];
    if (strict) {
      const bool nullable = is_nullable(grammar_, facts_, child);
      const std::int32_t reads = lower(child, any, true);
      some = nullable ? split({reads, some}) : reads;
    }
    if (!strict || i > 0) any = lower(child, any);
  }
  return strict ? some : any;
}

Lowering::Alternative Lowering::split_prefix(ExprId id) const {
  const Expr& expr = grammar_.at(id);
  if (expr.kind == Kind::kBytes) return {expr.bytes, {}};
  if (expr.kind == Kind::kConcat && grammar_.at(expr.children.front()).kind == Kind::kBytes) {
    return {grammar_.at(expr.children.front()).bytes,
            {expr.children.begin() + 1, expr.children.end()}};
  }
  return {{}, {id}};
}

// Alternatives that begin with bytes share the nodes of what they begin with in common.
std::int32_t Lowering::lower_alternatives(std::vector<Alternative> alternatives,
                                          std::int32_t next) {
  std::vector<std::int32_t> ways;
  std::map<std::uint8_t, std::vector<Alternative>> by_byte;
  for (Alternative& alternative : alternatives) {
    if (alternative.prefix.empty()) {
      ways.push_back(lower_concat(alternative.rest, next, false));
      continue;
    }
    by_byte[static_cast<std::uint8_t>(alternative.prefix.front())].push_back(
        std::move(alternative));
  }
  std::vector<std::pair<ByteSet, std::int32_t>> edges;
  for (auto& [byte, group] : by_byte) {
    // As far as they go together, without recursion.
    std::size_t common = group.front().prefix.size();
    for (const Alternative& alternative : group) {
      const auto [a, b] = std::ranges::mismatch(alternative.prefix, group.front().prefix);
      common = std::min(common, static_cast<std::size_t>(a - alternative.prefix.begin()));
    }
    const std::string_view shared = group.front().prefix.substr(1, common - 1);
    for (Alternative& alternative : group) alternative.prefix.remove_prefix(common);
    std::int32_t then = kNever;
    if (group.size() == 1) {
      then = lower_bytes(group.front().prefix, lower_concat(group.front().rest, next, false));
    } else {
      then = lower_alternatives(std::move(group), next);
    }
    if (then == kNever) continue;
    edges.emplace_back(ByteSet::of(byte, byte), lower_bytes(shared, then));
  }
  if (!edges.empty()) ways.push_back(byte_node(edges));
  return split(ways);
}

// x* and x+, without counting. The body comes back to the split before it.
std::int32_t Lowering::lower_loop(ExprId child,
                                  bool nullable,
                                  bool at_least_once,
                                  std::int32_t next) {
  const std::int32_t loop = add({});
  if (full_) return kNever;
  const std::int32_t body = lower(child, loop, nullable);
  set_split(loop, body == kNever ? std::vector{next} : std::vector{body, next});
  return at_least_once ? body : loop;
}

std::int32_t Lowering::lower_repeat(const Expr& expr, std::int32_t next, bool strict) {
  const ExprId child = expr.children.front();
  if (!is_productive(grammar_, facts_, child)) {
    return expr.min == 0 && !strict ? next : kNever;
  }
  // Repeating what may be empty is repeating what is not, up to as often.
  const bool nullable = is_nullable(grammar_, facts_, child);
  const int min = strict ? std::max(nullable ? 1 : expr.min, 1) : (nullable ? 0 : expr.min);
  if (expr.max < 0 && min <= 1) return lower_loop(child, nullable, min == 1, next);
  if (expr.max == 1) {
    const std::int32_t body = lower(child, next, nullable);
    return min == 1 ? body : split({body, next});
  }
  const auto name = static_cast<std::int32_t>(program_.repetitions.size());
  program_.repetitions.push_back({.next = next, .min = min, .max = expr.max});
  const std::int32_t again = add({.kind = Node::Kind::kAgain, .first = name});
  const std::int32_t body = lower(child, again, nullable);
  if (body == kNever) return min == 0 ? next : kNever;
  program_.repetitions[index(name)].body = body;
  return add({.kind = Node::Kind::kEnter, .first = name});
}

std::int32_t Lowering::lower_rule(RuleId rule, std::int32_t next, bool strict) {
  if (!facts_.productive[index(rule)]) return kNever;
  const auto key = std::pair(rule, strict && facts_.nullable[index(rule)]);
  const auto [name, added] =
      rule_names_.try_emplace(key, static_cast<std::int32_t>(rule_order_.size()));
  if (added) rule_order_.push_back(key);
  return add({.kind = Node::Kind::kCall, .first = name->second, .next = next});
}

std::int32_t Lowering::lower(ExprId id, std::int32_t next, bool strict) {
  const Expr& expr = grammar_.at(id);
  if (next == kNever) return kNever;
  switch (expr.kind) {
    case Kind::kNever:
      return kNever;
    case Kind::kBytes:
      return expr.bytes.empty() && strict ? kNever : lower_bytes(expr.bytes, next);
    case Kind::kClass:
      return lower_class(grammar_.set(expr), expr.spelling, next);
    case Kind::kDfa:
      return lower_dfa(expr, next, strict);
    case Kind::kConcat:
      return is_productive(grammar_, facts_, id) ? lower_concat(expr.children, next, strict)
                                                 : kNever;
    case Kind::kAlt: {
      std::vector<Alternative> alternatives;
      std::vector<std::int32_t> ways;
      for (const ExprId child : expr.children) {
        if (!is_productive(grammar_, facts_, child)) continue;
        if (strict && is_nullable(grammar_, facts_, child)) {
          ways.push_back(lower(child, next, true));
        } else {
          alternatives.push_back(split_prefix(child));
        }
      }
      ways.push_back(lower_alternatives(std::move(alternatives), next));
      return split(ways);
    }
    case Kind::kRepeat:
      return lower_repeat(expr, next, strict);
    case Kind::kRule:
      return lower_rule(expr.value, next, strict);
    case Kind::kToken:
      program_.has_tokens = true;
      return add({.kind = Node::Kind::kToken, .first = expr.value, .next = next});
  }
  return kNever;
}

Result<Program> Lowering::run() {
  QUIRE_TRY(grammar_.full());
  if (!is_productive(grammar_, facts_, grammar_.root())) {
    return invalid_argument("the constraint matches no text at all; check what it asks for");
  }
  if (const std::string rule = find_left_recursion(grammar_, facts_); !rule.empty()) {
    return invalid_argument("the rule " + rule +
                            " is left-recursive; write it as a repetition, x ::= y (op y)*");
  }
  program_.nodes.push_back({.kind = Node::Kind::kReturn});
  program_.nodes.push_back({.kind = Node::Kind::kSplit});
  program_.start = lower(grammar_.root(), Program::kReturn);
  for (std::size_t i = 0; i < rule_order_.size() && !full_; ++i) {
    const auto [rule, strict] = rule_order_[i];
    if (rule < 0) {
      const SpelledSet& set = *class_order_[index(-rule - 1)];
      program_.rule_starts.push_back(lower_spelled(set, Program::kReturn));
      continue;
    }
    program_.rule_starts.push_back(lower(grammar_.body(rule), Program::kReturn, strict));
  }
  if (!full_) return std::move(program_);
  return invalid_argument("the constraint is too large: its automaton has more than " +
                          std::to_string(grammar_.limits().nodes) + " nodes; make it simpler");
}

}  // namespace

Result<Program> compile_program(const Grammar& grammar) { return Lowering(grammar).run(); }

}  // namespace quire::grammar
