#include "grammar/expression.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace quire::grammar {
namespace {

std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }

using Kind = Expr::Kind;

// Rules that stand where an expression begins.
void first_rules(const Grammar& grammar,
                 const RuleFacts& facts,
                 ExprId id,
                 std::vector<RuleId>* rules) {
  const Expr& expr = grammar.at(id);
  if (expr.kind == Kind::kRule) {
    if (facts.productive[index(expr.value)]) rules->push_back(expr.value);
    return;
  }
  if (!is_productive(grammar, facts, id)) return;
  for (const ExprId child : expr.children) {
    first_rules(grammar, facts, child, rules);
    if (expr.kind == Kind::kConcat && !is_nullable(grammar, facts, child)) return;
  }
}

}  // namespace

Grammar::Grammar(const Limits& limits) : limits_(limits) {
  exprs_.push_back({.kind = Kind::kNever});
  exprs_.push_back({.kind = Kind::kBytes});
}

Status Grammar::full() const {
  if (!full_) return ok_status();
  return invalid_argument("the constraint is too large: it needs more than " +
                          std::to_string(limits_.expressions) + " expressions or " +
                          std::to_string(limits_.rules) + " rules; make it simpler");
}

ExprId Grammar::add(Expr expr) {
  if (exprs_.size() >= limits_.expressions) full_ = true;
  if (full_) return never();
  exprs_.push_back(std::move(expr));
  return static_cast<ExprId>(exprs_.size() - 1);
}

ExprId Grammar::bytes(std::string bytes) {
  if (bytes.empty()) return empty();
  return add({.kind = Kind::kBytes, .bytes = std::move(bytes)});
}

ExprId Grammar::one_of(const CodePointSet& set, Spelling spelling) {
  if (set.empty()) return never();
  std::size_t at = 0;
  while (at < sets_.size() && sets_[at] != set) ++at;
  if (at == sets_.size()) sets_.push_back(set);
  return add({.kind = Kind::kClass, .spelling = spelling, .value = static_cast<std::int32_t>(at)});
}

ExprId Grammar::dfa(std::shared_ptr<const Dfa> dfa, Spelling spelling) {
  dfas_.push_back(std::move(dfa));
  return add({.kind = Kind::kDfa,
              .spelling = spelling,
              .value = static_cast<std::int32_t>(dfas_.size() - 1)});
}

ExprId Grammar::concat(std::vector<ExprId> children) {
  if (std::ranges::find(children, never()) != children.end()) return never();
  std::erase(children, empty());
  if (children.empty()) return empty();
  if (children.size() == 1) return children.front();
  return add({.kind = Kind::kConcat, .children = std::move(children)});
}

ExprId Grammar::alt(std::vector<ExprId> children) {
  std::erase(children, never());
  if (children.empty()) return never();
  if (children.size() == 1) return children.front();
  return add({.kind = Kind::kAlt, .children = std::move(children)});
}

ExprId Grammar::repeat(ExprId child, int min, int max) {
  if (max >= 0 && min > max) return never();
  if (max == 0) return empty();
  if (child == never()) return min == 0 ? empty() : never();
  if (min == 1 && max == 1) return child;
  return add({.kind = Kind::kRepeat, .min = min, .max = max, .children = {child}});
}

ExprId Grammar::rule(RuleId rule) { return add({.kind = Kind::kRule, .value = rule}); }

ExprId Grammar::token(TokenId id) { return add({.kind = Kind::kToken, .value = id}); }

RuleId Grammar::add_rule(std::string name) {
  if (bodies_.size() >= limits_.rules) full_ = true;
  bodies_.push_back(never());
  names_.push_back(std::move(name));
  return static_cast<RuleId>(bodies_.size() - 1);
}

bool is_nullable(const Grammar& grammar, const RuleFacts& facts, ExprId id) {
  const Expr& expr = grammar.at(id);
  const auto nullable = [&](ExprId child) { return is_nullable(grammar, facts, child); };
  switch (expr.kind) {
    case Kind::kBytes:
      return expr.bytes.empty();
    case Kind::kDfa:
      return grammar.dfa(expr).accepts_empty();
    case Kind::kConcat:
      return std::ranges::all_of(expr.children, nullable);
    case Kind::kAlt:
      return std::ranges::any_of(expr.children, nullable);
    case Kind::kRepeat:
      return expr.min == 0 || nullable(expr.children.front());
    case Kind::kRule:
      return facts.nullable[index(expr.value)];
    case Kind::kNever:
    case Kind::kClass:
    case Kind::kToken:
      return false;
  }
  return false;
}

bool is_productive(const Grammar& grammar, const RuleFacts& facts, ExprId id) {
  const Expr& expr = grammar.at(id);
  const auto productive = [&](ExprId child) { return is_productive(grammar, facts, child); };
  switch (expr.kind) {
    case Kind::kNever:
      return false;
    case Kind::kDfa:
      return !grammar.dfa(expr).empty();
    case Kind::kConcat:
      return std::ranges::all_of(expr.children, productive);
    case Kind::kAlt:
      return std::ranges::any_of(expr.children, productive);
    case Kind::kRepeat:
      return expr.min == 0 || productive(expr.children.front());
    case Kind::kRule:
      return facts.productive[index(expr.value)];
    case Kind::kBytes:
    case Kind::kClass:
    case Kind::kToken:
      return true;
  }
  return false;
}

RuleFacts find_facts(const Grammar& grammar) {
  const std::size_t count = grammar.num_rules();
  RuleFacts facts{std::vector<bool>(count), std::vector<bool>(count)};
  for (bool changed = true; changed;) {  // to the least fixed point
    changed = false;
    for (std::size_t rule = count; rule-- > 0;) {  // later rules are used by earlier ones, mostly
      const ExprId body = grammar.body(static_cast<RuleId>(rule));
      if (!facts.nullable[rule] && is_nullable(grammar, facts, body)) {
        facts.nullable[rule] = changed = true;
      }
      if (!facts.productive[rule] && is_productive(grammar, facts, body)) {
        facts.productive[rule] = changed = true;
      }
    }
  }
  return facts;
}

std::string find_left_recursion(const Grammar& grammar, const RuleFacts& facts) {
  enum class Mark : std::uint8_t { kNew, kOpen, kDone };
  struct Visit {
    RuleId rule;
    std::vector<RuleId> next;
  };
  std::vector<Mark> marks(grammar.num_rules(), Mark::kNew);
  std::vector<Visit> open;
  const auto enter = [&](RuleId rule) {
    marks[index(rule)] = Mark::kOpen;
    open.push_back({rule, {}});
    first_rules(grammar, facts, grammar.body(rule), &open.back().next);
  };
  for (std::size_t start = 0; start < marks.size(); ++start) {
    if (marks[start] != Mark::kNew || !facts.productive[start]) continue;
    enter(static_cast<RuleId>(start));
    while (!open.empty()) {
      if (open.back().next.empty()) {
        marks[index(open.back().rule)] = Mark::kDone;
        open.pop_back();
        continue;
      }
      const RuleId next = open.back().next.back();
      open.back().next.pop_back();
      if (marks[index(next)] == Mark::kOpen) return grammar.name(next);
      if (marks[index(next)] == Mark::kNew) enter(next);
    }
  }
  return {};
}

}  // namespace quire::grammar
