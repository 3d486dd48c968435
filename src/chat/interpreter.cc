#include "chat/interpreter.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace quire::chat {
namespace {

using Kind = Value::Kind;

// How deep statements, expressions and macros may be inside each other while running.
constexpr int kMaxDepth = 600;
// A scope costs this many steps, which bounds the memory of all of them.
constexpr std::size_t kScopeSteps = 8;

}  // namespace

Result<Text> Interpreter::run(const Block& block, const Scope& variables) {
  QUIRE_ASSIGN(Scope * scope, make_scope(&variables));
  return capture(block, scope);
}

Status Interpreter::enter() {
  QUIRE_TRY(runtime_.budget.spend());
  if (++depth_ <= kMaxDepth) return ok_status();
  return invalid_argument("the chat template nests or recurses too deeply");
}

Status Interpreter::at_line(const Status& status, int line) const {
  if (raised_ || status.message().starts_with("chat template line ")) return status;
  return status.with_context("chat template line " + std::to_string(line));
}

Result<Scope*> Interpreter::make_scope(const Scope* parent) {
  QUIRE_TRY(runtime_.budget.spend(kScopeSteps));
  scopes_.emplace_back();
  scopes_.back().parent = parent;
  return &scopes_.back();
}

Value Interpreter::make_callable(Callable callable) {
  callables_.push_back(std::move(callable));
  return Value::callable(&callables_.back());
}

Status Interpreter::print(const Text& text) {
  QUIRE_TRY(runtime_.budget.check_text(out_->size() + text.size()));
  QUIRE_TRY(runtime_.budget.spend_text(text.size()));
  out_->append(text);
  return ok_status();
}

// Output is a stack of texts: macros, block sets and filter blocks print into one of their own.
Result<Text> Interpreter::capture(const Block& block, Scope* scope) {
  Text out;
  Text* const outer = std::exchange(out_, &out);
  const Result<Flow> flow = run_block(block, scope);
  out_ = outer;
  if (!flow) return flow.error();
  return out;
}

Result<Interpreter::Flow> Interpreter::run_block(const Block& block, Scope* scope) {
  for (const auto& stmt : block) {
    QUIRE_TRY(enter());
    Result<Flow> flow = run_stmt(*stmt, scope);
    --depth_;
    if (!flow) return at_line(flow.error(), stmt->line);
    if (*flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::run_stmt(const Stmt& stmt, Scope* scope) {
  switch (stmt.kind) {
    case Stmt::Kind::kText:
      QUIRE_TRY(print(stmt.text));
      return Flow::kNormal;
    case Stmt::Kind::kOutput: {
      QUIRE_ASSIGN(const Value value, eval(*stmt.expr, scope));
      QUIRE_ASSIGN(const Text text, to_text(value, &runtime_.budget));
      QUIRE_TRY(print(text));
      return Flow::kNormal;
    }
    case Stmt::Kind::kIf:
      return run_if(stmt, scope);
    case Stmt::Kind::kFor:
      return run_for(stmt, scope);
    case Stmt::Kind::kSet:
    case Stmt::Kind::kSetBlock:
      QUIRE_TRY(run_set(stmt, scope));
      return Flow::kNormal;
    case Stmt::Kind::kMacro: {
      QUIRE_TRY(runtime_.budget.spend(kScopeSteps));
      scope->set(stmt.name, make_callable({stmt.name, Value(), &stmt, scope}));
      return Flow::kNormal;
    }
    case Stmt::Kind::kCallBlock:
      QUIRE_TRY(run_call_block(stmt, scope));
      return Flow::kNormal;
    case Stmt::Kind::kFilterBlock:
      QUIRE_TRY(run_filter_block(stmt, scope));
      return Flow::kNormal;
    case Stmt::Kind::kWith:
      return run_with(stmt, scope);
    case Stmt::Kind::kScope: {
      QUIRE_ASSIGN(Scope * inner, make_scope(scope));
      return run_block(stmt.body, inner);
    }
    case Stmt::Kind::kBreak:
      return Flow::kBreak;
    case Stmt::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

// An if has no scope of its own: what is set in it stays set.
Result<Interpreter::Flow> Interpreter::run_if(const Stmt& stmt, Scope* scope) {
  for (const auto& [condition, block] : stmt.branches) {
    QUIRE_ASSIGN(const Value value, eval(*condition, scope));
    if (value.truth()) return run_block(block, scope);
  }
  return run_block(stmt.otherwise, scope);
}

// The items are taken before the first pass, the `if` of the loop included, so that loop.last and
// loop.length are known.
Result<std::vector<Value>> Interpreter::loop_items(const Stmt& stmt,
                                                   const Value& iterable,
                                                   Scope* scope) {
  QUIRE_ASSIGN(std::vector<Value> items, items_of(iterable, &runtime_.budget));
  if (stmt.condition == nullptr) return items;
  QUIRE_ASSIGN(Scope * inner, make_scope(scope));
  std::vector<Value> kept;
  for (Value& item : items) {
    QUIRE_TRY(assign(stmt.target, item, inner));
    QUIRE_ASSIGN(const Value keep, eval(*stmt.condition, inner));
    if (keep.truth()) kept.push_back(std::move(item));
  }
  return kept;
}

Result<Interpreter::Flow> Interpreter::run_for(const Stmt& stmt, Scope* scope) {
  QUIRE_ASSIGN(const Value iterable, eval(*stmt.expr, scope));
  return run_loop(stmt, iterable, 1, scope);
}

Result<Interpreter::Flow> Interpreter::run_loop(const Stmt& stmt,
                                                const Value& iterable,
                                                std::int64_t depth,
                                                Scope* scope) {
  QUIRE_ASSIGN(std::vector<Value> items, loop_items(stmt, iterable, scope));
  if (items.empty()) {
    QUIRE_ASSIGN(Scope * inner, make_scope(scope));
    return run_block(stmt.otherwise, inner);
  }
  QUIRE_TRY(runtime_.budget.spend(kScopeSteps));
  loops_.emplace_back();
  LoopState& loop = loops_.back();
  loop.stmt = &stmt;
  loop.scope = scope;
  loop.depth = depth;
  loop.items = std::move(items);
  for (std::size_t i = 0; i < loop.items.size(); ++i) {
    // Each pass has a scope of its own: what it sets is gone in the next one.
    QUIRE_ASSIGN(Scope * inner, make_scope(scope));
    loop.index = i;
    inner->set("loop", Value::loop(&loop));
    QUIRE_TRY(assign(stmt.target, loop.items[i], inner));
    QUIRE_ASSIGN(const Flow flow, run_block(stmt.body, inner));
    if (flow == Flow::kBreak) break;
  }
  return Flow::kNormal;
}

Status Interpreter::run_set(const Stmt& stmt, Scope* scope) {
  if (stmt.kind == Stmt::Kind::kSet) {
    QUIRE_ASSIGN(const Value value, eval(*stmt.expr, scope));
    return assign(stmt.target, value, scope);
  }
  QUIRE_ASSIGN(Scope * inner, make_scope(scope));
  QUIRE_ASSIGN(Text text, capture(stmt.body, inner));
  QUIRE_ASSIGN(const Value value, filtered(stmt.filters, std::move(text), scope));
  return assign(stmt.target, value, scope);
}

Status Interpreter::assign(const Target& target, const Value& value, Scope* scope) {
  if (!target.attribute.empty()) {
    QUIRE_TRY(runtime_.budget.spend(scope->size_with_parents() / 16));
    const Value* space = scope->find(target.name);
    if (space == nullptr || !space->is(Kind::kNamespace)) {
      return invalid_argument("'" + target.name + "' is not a namespace, so it has no '" +
                              target.attribute + "' to set");
    }
    QUIRE_TRY(runtime_.budget.spend(space->as_namespace().members.variables.size()));
    space->as_namespace().members.set(target.attribute, value);
    return ok_status();
  }
  if (!target.is_tuple) {
    QUIRE_TRY(runtime_.budget.spend(scope->variables.size() / 16));
    scope->set(target.name, value);
    return ok_status();
  }
  QUIRE_ASSIGN(std::vector<Value> items, items_of(value, &runtime_.budget));
  if (items.size() != target.parts.size()) {
    return invalid_argument(std::to_string(items.size()) + " values cannot be given to " +
                            std::to_string(target.parts.size()) + " names");
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    QUIRE_TRY(assign(target.parts[i], items[i], scope));
  }
  return ok_status();
}

Result<Value> Interpreter::filtered(const std::vector<BlockFilter>& filters,
                                    Text text,
                                    Scope* scope) {
  Value value = Value::text(std::move(text));
  for (const BlockFilter& filter : filters) {
    QUIRE_ASSIGN(const CallArguments arguments, eval_arguments(filter.arguments, scope));
    QUIRE_ASSIGN(value, apply_filter(filter.name, value, arguments, &runtime_));
  }
  return value;
}

Status Interpreter::run_filter_block(const Stmt& stmt, Scope* scope) {
  QUIRE_ASSIGN(Scope * inner, make_scope(scope));
  QUIRE_ASSIGN(Text text, capture(stmt.body, inner));
  QUIRE_ASSIGN(const Value value, filtered(stmt.filters, std::move(text), scope));
  QUIRE_ASSIGN(const Text printed, to_text(value, &runtime_.budget));
  return print(printed);
}

// The body becomes the function caller() of the macro that is called.
Status Interpreter::run_call_block(const Stmt& stmt, Scope* scope) {
  QUIRE_TRY(runtime_.budget.spend(kScopeSteps));
  const Value caller = make_callable({"caller", Value(), &stmt, scope});
  QUIRE_ASSIGN(const Value callee, eval(*stmt.expr->parts[0], scope));
  QUIRE_ASSIGN(CallArguments arguments, eval_arguments(stmt.expr->arguments, scope));
  arguments.keywords.emplace_back("caller", caller);
  QUIRE_ASSIGN(const Value value, call(callee, arguments));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime_.budget));
  return print(text);
}

// Values are computed outside: with a = 1, b = a finds another a.
Result<Interpreter::Flow> Interpreter::run_with(const Stmt& stmt, Scope* scope) {
  QUIRE_ASSIGN(Scope * inner, make_scope(scope));
  for (const auto& [name, expr] : stmt.bindings) {
    QUIRE_ASSIGN(const Value value, eval(*expr, scope));
    inner->set(name, value);
  }
  return run_block(stmt.body, inner);
}

// A macro sees the scope it was written in as it is now, not the one it is called from.
Result<Value> Interpreter::call_macro(const Callable& macro, const CallArguments& arguments) {
  const Stmt& stmt = *macro.body;
  QUIRE_ASSIGN(Scope * scope, make_scope(macro.scope));
  for (std::size_t i = 0; i < stmt.parameters.size(); ++i) {
    const Parameter& parameter = stmt.parameters[i];
    Value value = Value::undefined("the parameter '" + parameter.name + "'");
    if (const Value* given = arguments.find(i, parameter.name)) {
      value = *given;
    } else if (parameter.fallback != nullptr) {
      QUIRE_ASSIGN(value, eval(*parameter.fallback, scope));
    }
    scope->set(parameter.name, value);
  }
  QUIRE_TRY(take_further_arguments(macro, arguments, scope));
  QUIRE_ASSIGN(Text text, capture(stmt.body, scope));
  return Value::text(std::move(text));
}

// What a macro is called with beyond its parameters: caller, and what it takes as varargs and
// kwargs.
Status Interpreter::take_further_arguments(const Callable& macro,
                                           const CallArguments& arguments,
                                           Scope* scope) {
  const Stmt& stmt = *macro.body;
  const std::size_t count = stmt.parameters.size();
  if (arguments.positional.size() > count && !stmt.takes_varargs) {
    return invalid_argument("the macro '" + macro.name + "' takes at most " +
                            std::to_string(count) + " arguments");
  }
  std::vector<Value> varargs;
  for (std::size_t i = count; i < arguments.positional.size(); ++i) {
    varargs.push_back(arguments.positional[i]);
  }
  Dict kwargs;
  for (const auto& [name, value] : arguments.keywords) {
    const bool is_parameter = std::ranges::any_of(
        stmt.parameters, [&](const Parameter& parameter) { return parameter.name == name; });
    if (is_parameter) continue;
    if (name == "caller") {
      scope->set(name, value);
    } else if (stmt.takes_kwargs) {
      kwargs.set(Value::text(name, true), value);
    } else {
      return invalid_argument("the macro '" + macro.name + "' has no parameter '" + name + "'");
    }
  }
  if (stmt.takes_varargs) {
    QUIRE_ASSIGN(Value list, make_list(std::move(varargs), true));
    scope->set("varargs", std::move(list));
  }
  if (stmt.takes_kwargs) {
    QUIRE_ASSIGN(Value dict, make_dict(std::move(kwargs)));
    scope->set("kwargs", std::move(dict));
  }
  return ok_status();
}

}  // namespace quire::chat
