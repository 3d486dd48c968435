#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/dfa.h"
#include "grammar/limits.h"
#include "quire/result.h"
#include "quire/types.h"

namespace quire::grammar {

using ExprId = std::int32_t;
using RuleId = std::int32_t;

// How a character is written in the text of an answer.
enum class Spelling : std::uint8_t {
  kPlain,    // as itself
  kJson,     // inside a JSON string: as itself, or by the escape it would get from a JSON writer
  kJsonAny,  // the same, and by any \u escape
};

// A node of a grammar's syntax tree.
struct Expr {
  enum class Kind : std::uint8_t {
    kNever,   // matches nothing, not even the empty text
    kBytes,   // these very bytes, perhaps none
    kClass,   // one character of a set
    kDfa,     // a text that an automaton accepts
    kConcat,  // children one after another
    kAlt,     // one of the children
    kRepeat,  // the child, min to max times; max -1: without end
    kRule,
    kToken,  // a token by its id
  };
  Kind kind = Kind::kNever;
  Spelling spelling = Spelling::kPlain;  // of kClass and kDfa
  std::int32_t value = 0;                // class, DFA, rule or token
  int min = 0;
  int max = 0;
  std::vector<ExprId> children = {};
  std::string bytes = {};
};

// A grammar as the front ends build it: a tree whose nodes may be shared, and rules, by which it is
// recursive. What goes over a limit makes it `full`: the builders then return kNever, and whoever
// compiles it says so.
class Grammar {
 public:
  explicit Grammar(const Limits& limits = {});

  ExprId never() const { return 0; }
  ExprId empty() const { return 1; }
  ExprId bytes(std::string bytes);
  ExprId one_of(const CodePointSet& set, Spelling spelling = Spelling::kPlain);
  ExprId dfa(std::shared_ptr<const Dfa> dfa, Spelling spelling);
  ExprId concat(std::vector<ExprId> children);
  ExprId alt(std::vector<ExprId> children);
  ExprId repeat(ExprId child, int min, int max);
  ExprId optional(ExprId child) { return alt({child, empty()}); }
  ExprId rule(RuleId rule);
  ExprId token(TokenId id);

  // A rule without a body, which is kNever until it is set.
  RuleId add_rule(std::string name);
  void set_body(RuleId rule, ExprId body) { bodies_[static_cast<std::size_t>(rule)] = body; }
  void set_root(ExprId root) { root_ = root; }

  ExprId root() const { return root_; }
  const Expr& at(ExprId id) const { return exprs_[static_cast<std::size_t>(id)]; }
  std::size_t num_exprs() const { return exprs_.size(); }
  std::size_t num_rules() const { return bodies_.size(); }
  ExprId body(RuleId rule) const { return bodies_[static_cast<std::size_t>(rule)]; }
  const std::string& name(RuleId rule) const { return names_[static_cast<std::size_t>(rule)]; }
  const CodePointSet& set(const Expr& expr) const {
    return sets_[static_cast<std::size_t>(expr.value)];
  }
  const Dfa& dfa(const Expr& expr) const { return *dfas_[static_cast<std::size_t>(expr.value)]; }
  const Limits& limits() const { return limits_; }
  Status full() const;  // not ok once a limit was passed

 private:
  ExprId add(Expr expr);

  Limits limits_;
  std::vector<Expr> exprs_;
  std::vector<CodePointSet> sets_;
  std::vector<std::shared_ptr<const Dfa>> dfas_;
  std::vector<ExprId> bodies_;
  std::vector<std::string> names_;
  ExprId root_ = 0;
  bool full_ = false;
};

// What the compiler must know of a grammar before it makes an automaton of it. By rule.
struct RuleFacts {
  std::vector<bool> nullable;    // it may match the empty text
  std::vector<bool> productive;  // it matches some text of finite length
};
RuleFacts find_facts(const Grammar& grammar);
bool is_nullable(const Grammar& grammar, const RuleFacts& facts, ExprId id);
bool is_productive(const Grammar& grammar, const RuleFacts& facts, ExprId id);

// A productive rule that comes back to itself before a byte is read: its name; empty for none.
std::string find_left_recursion(const Grammar& grammar, const RuleFacts& facts);

}  // namespace quire::grammar
