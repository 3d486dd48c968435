#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/interpreter.h"

// Expressions and calls.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

constexpr std::int64_t kMaxRange = 100000;

// Functions are looked up last, so a template can have variables of these names.
bool is_function(const std::string& name) {
  return name == "range" || name == "namespace" || name == "raise_exception" ||
         name == "strftime_now" || name == "dict" || name == "cycler" || name == "joiner";
}

bool is_loop_function(const LoopState& loop, const std::string& name) {
  if (loop.kind == LoopState::Kind::kLoop) return name == "cycle" || name == "changed";
  return loop.kind == LoopState::Kind::kCycler && (name == "next" || name == "reset");
}

// The digits come from the clock and the format from the template, so they are trusted as it is.
Result<Value> format_time(const CallArguments& arguments, std::int64_t now_seconds) {
  QUIRE_TRY(arguments.check("strftime_now", 1, {"format"}));
  QUIRE_ASSIGN(const Text format, text_argument(arguments, 0, "format", Text()));
  std::array<char, 512> buffer = {};
  const auto seconds = static_cast<std::time_t>(now_seconds);
  std::tm local = {};
  if (format.size() > 128 || localtime_r(&seconds, &local) == nullptr) {
    return invalid_argument("strftime_now: the format is too long");
  }
  const std::size_t length =
      std::strftime(buffer.data(), buffer.size(), format.bytes.c_str(), &local);
  return Value::text(replace_invalid_utf8({buffer.data(), length}), format.is_trusted());
}

}  // namespace

Result<Value> Interpreter::eval(const Expr& expr, Scope* scope) {
  QUIRE_TRY(enter());
  Result<Value> value = eval_kind(expr, scope);
  --depth_;
  return value;
}

Result<Value> Interpreter::eval_kind(const Expr& expr, Scope* scope) {
  switch (expr.kind) {
    case Expr::Kind::kLiteral:
      return expr.value;
    case Expr::Kind::kName:
      return eval_name(expr, *scope);
    case Expr::Kind::kList:
    case Expr::Kind::kTuple:
      return eval_parts(expr, scope);
    case Expr::Kind::kDict:
      return eval_dict(expr, scope);
    case Expr::Kind::kAttribute:
    case Expr::Kind::kSubscript:
    case Expr::Kind::kSlice:
      return eval_access(expr, scope);
    case Expr::Kind::kCall: {
      QUIRE_ASSIGN(const Value callee, eval(*expr.parts[0], scope));
      QUIRE_ASSIGN(const CallArguments arguments, eval_arguments(expr.arguments, scope));
      return call(callee, arguments);
    }
    case Expr::Kind::kFilter: {
      QUIRE_ASSIGN(const Value value, eval(*expr.parts[0], scope));
      QUIRE_ASSIGN(const CallArguments arguments, eval_arguments(expr.arguments, scope));
      return apply_filter(expr.name, value, arguments, &runtime_);
    }
    case Expr::Kind::kTest: {
      QUIRE_ASSIGN(const Value value, eval(*expr.parts[0], scope));
      QUIRE_ASSIGN(const CallArguments arguments, eval_arguments(expr.arguments, scope));
      QUIRE_ASSIGN(const bool passes, apply_test(expr.name, value, arguments, &runtime_));
      return Value::boolean(passes, true);
    }
    case Expr::Kind::kNegate:
    case Expr::Kind::kPlus:
    case Expr::Kind::kArithmetic:
      return eval_arithmetic(expr, scope);
    case Expr::Kind::kConcat:
      return eval_concat(expr, scope);
    case Expr::Kind::kCompare:
      return eval_compare(expr, scope);
    case Expr::Kind::kNot:
    case Expr::Kind::kAnd:
    case Expr::Kind::kOr:
      return eval_logic(expr, scope);
    case Expr::Kind::kConditional:
      return eval_conditional(expr, scope);
  }
  return Value();
}

// A name that means nothing is not an error until somebody uses its value.
Result<Value> Interpreter::eval_name(const Expr& expr, const Scope& scope) {
  QUIRE_TRY(runtime_.budget.spend(scope.size_with_parents() / 16));
  if (const Value* value = scope.find(expr.name)) return *value;
  if (is_function(expr.name)) {
    QUIRE_TRY(runtime_.budget.spend(4));
    return make_callable({expr.name, Value(), nullptr, nullptr});
  }
  return Value::undefined("'" + expr.name + "'");
}

Result<Value> Interpreter::eval_parts(const Expr& expr, Scope* scope) {
  std::vector<Value> items;
  items.reserve(expr.parts.size());
  for (const ExprPtr& part : expr.parts) {
    QUIRE_ASSIGN(Value value, eval(*part, scope));
    items.push_back(std::move(value));
  }
  return make_list(std::move(items), expr.kind == Expr::Kind::kTuple);
}

Result<Value> Interpreter::eval_dict(const Expr& expr, Scope* scope) {
  Dict dict;
  for (std::size_t i = 0; i + 1 < expr.parts.size(); i += 2) {
    QUIRE_ASSIGN(Value key, eval(*expr.parts[i], scope));
    QUIRE_ASSIGN(Value value, eval(*expr.parts[i + 1], scope));
    if (!is_hashable(key)) return misused(key, "cannot be a key");
    QUIRE_TRY(charge_lookup(dict, key, &runtime_.budget));
    dict.set(std::move(key), std::move(value));
  }
  return make_dict(std::move(dict));
}

// x.name prefers methods to keys of the same name, x["name"] the other way round.
Result<Value> Interpreter::eval_access(const Expr& expr, Scope* scope) {
  QUIRE_ASSIGN(const Value object, eval(*expr.parts[0], scope));
  const auto method_or = [&](const std::string& name, Result<Value> other) -> Result<Value> {
    const bool of_loop = object.is(Kind::kLoop) && is_loop_function(object.as_loop(), name);
    if (!of_loop && !is_method(object, name)) return other;
    QUIRE_TRY(runtime_.budget.spend(4));
    return make_callable({name, object, nullptr, nullptr});
  };
  if (expr.kind == Expr::Kind::kAttribute) {
    return method_or(expr.name, attribute_of(object, expr.name, &runtime_));
  }
  if (expr.kind == Expr::Kind::kSubscript) {
    QUIRE_ASSIGN(const Value key, eval(*expr.parts[1], scope));
    Result<Value> item = item_of(object, key, &runtime_);
    const bool missing = item && item->is(Kind::kUndefined) && key.is(Kind::kText);
    return missing ? method_or(key.as_text().bytes, std::move(item)) : item;
  }
  std::array<Value, 3> bounds = {Value::none(), Value::none(), Value::none()};
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (expr.parts[i + 1] == nullptr) continue;
    QUIRE_ASSIGN(bounds[i], eval(*expr.parts[i + 1], scope));
  }
  return slice_of(object, bounds[0], bounds[1], bounds[2], &runtime_.budget);
}

Result<Value> Interpreter::eval_arithmetic(const Expr& expr, Scope* scope) {
  QUIRE_ASSIGN(Value value, eval(*expr.parts[0], scope));
  if (expr.kind != Expr::Kind::kArithmetic) {
    if (!value.is_number()) return misused(value, "has no sign");
    const bool negative = expr.kind == Expr::Kind::kNegate;
    return arithmetic("*", value, Value::integer(negative ? -1 : 1, true), &runtime_.budget);
  }
  for (std::size_t i = 0; i < expr.operators.size(); ++i) {
    QUIRE_ASSIGN(const Value next, eval(*expr.parts[i + 1], scope));
    QUIRE_ASSIGN(value, arithmetic(expr.operators[i], value, next, &runtime_.budget));
  }
  return value;
}

Result<Value> Interpreter::eval_concat(const Expr& expr, Scope* scope) {
  Text out;
  for (const ExprPtr& part : expr.parts) {
    QUIRE_ASSIGN(const Value value, eval(*part, scope));
    QUIRE_ASSIGN(const Text text, to_text(value, &runtime_.budget));
    QUIRE_TRY(runtime_.budget.make_text(out.size() + text.size()));
    out.append(text);
  }
  return Value::text(std::move(out));
}

// a < b < c holds when both comparisons do; what is right of a false one is not evaluated.
Result<Value> Interpreter::eval_compare(const Expr& expr, Scope* scope) {
  QUIRE_ASSIGN(Value left, eval(*expr.parts[0], scope));
  for (std::size_t i = 0; i < expr.operators.size(); ++i) {
    const std::string& op = expr.operators[i];
    QUIRE_ASSIGN(Value right, eval(*expr.parts[i + 1], scope));
    bool holds = false;
    if (op == "==" || op == "!=") {
      QUIRE_ASSIGN(holds, equal(left, right, &runtime_.budget));
    } else if (op == "in" || op == "not in") {
      QUIRE_ASSIGN(holds, contains(right, left, &runtime_.budget));
    } else {
      QUIRE_ASSIGN(const int order, compare(left, right, &runtime_.budget));
      holds =
          op == "<" ? order < 0 : (op == "<=" ? order <= 0 : (op == ">" ? order > 0 : order >= 0));
    }
    if (op == "!=" || op == "not in") holds = !holds;
    if (!holds) return Value::boolean(false, true);
    left = std::move(right);
  }
  return Value::boolean(true, true);
}

// `and` and `or` give one of their operands, as in Python; `not` gives a bool.
Result<Value> Interpreter::eval_logic(const Expr& expr, Scope* scope) {
  Value value;
  for (const ExprPtr& part : expr.parts) {
    QUIRE_ASSIGN(value, eval(*part, scope));
    if (expr.kind == Expr::Kind::kNot) return Value::boolean(!value.truth(), true);
    if (value.truth() == (expr.kind == Expr::Kind::kOr)) return value;
  }
  return value;
}

Result<Value> Interpreter::eval_conditional(const Expr& expr, Scope* scope) {
  QUIRE_ASSIGN(const Value condition, eval(*expr.parts[0], scope));
  if (condition.truth()) return eval(*expr.parts[1], scope);
  if (expr.parts[2] != nullptr) return eval(*expr.parts[2], scope);
  return Value::undefined("the value of an if without else");
}

Result<CallArguments> Interpreter::eval_arguments(const Arguments& arguments, Scope* scope) {
  CallArguments out;
  for (const ExprPtr& expr : arguments.positional) {
    QUIRE_ASSIGN(Value value, eval(*expr, scope));
    out.positional.push_back(std::move(value));
  }
  for (const Keyword& keyword : arguments.keywords) {
    QUIRE_ASSIGN(Value value, eval(*keyword.value, scope));
    out.keywords.emplace_back(keyword.name, std::move(value));
  }
  if (arguments.list != nullptr) {
    QUIRE_ASSIGN(const Value list, eval(*arguments.list, scope));
    QUIRE_ASSIGN(const std::vector<Value> items, items_of(list, &runtime_.budget));
    out.positional.insert(out.positional.end(), items.begin(), items.end());
  }
  if (arguments.dict != nullptr) {
    QUIRE_ASSIGN(const Value dict, eval(*arguments.dict, scope));
    if (!dict.is(Kind::kDict)) return misused(dict, "cannot be unpacked as named arguments");
    QUIRE_TRY(runtime_.budget.spend(dict.as_dict().items.size()));
    for (const auto& [key, value] : dict.as_dict().items) {
      if (!key.is(Kind::kText)) return misused(key, "is not the name of an argument");
      out.keywords.emplace_back(key.as_text().bytes, value);
    }
  }
  constexpr std::size_t kMostArguments = 1000;
  if (out.positional.size() + out.keywords.size() > kMostArguments) {
    return invalid_argument("a call has too many arguments");
  }
  return out;
}

Result<Value> Interpreter::call(const Value& callee, const CallArguments& arguments) {
  if (callee.is(Kind::kLoop)) return call_loop(&callee.as_loop(), arguments);
  if (!callee.is(Kind::kCallable)) return misused(callee, "cannot be called");
  QUIRE_TRY(enter());
  const Callable& callable = callee.as_callable();
  Result<Value> value = Value();
  if (callable.body != nullptr) {
    value = call_macro(callable, arguments);
  } else if (callable.self.is(Kind::kLoop)) {
    value = call_loop_function(&callable.self.as_loop(), callable.name, arguments);
  } else if (!callable.self.is(Kind::kUndefined)) {
    value = call_method(callable.self, callable.name, arguments, &runtime_);
  } else {
    value = call_function(callable.name, arguments);
  }
  --depth_;
  return value;
}

// A recursive loop goes through other items; what joiner() made is empty the first time.
Result<Value> Interpreter::call_loop(LoopState* loop, const CallArguments& arguments) {
  if (loop->kind == LoopState::Kind::kJoiner) {
    return loop->index++ == 0 ? Value::text("", true) : loop->items.front();
  }
  if (loop->kind != LoopState::Kind::kLoop || !loop->stmt->is_recursive) {
    return invalid_argument("a loop can be called only where it says 'recursive'");
  }
  QUIRE_TRY(arguments.check("loop", 1, {"iterable"}));
  QUIRE_TRY(enter());
  Text out;
  Text* const outer = std::exchange(out_, &out);
  const Result<Flow> flow =
      run_loop(*loop->stmt, *arguments.find(0, "iterable"), loop->depth + 1, loop->scope);
  out_ = outer;
  --depth_;
  if (!flow) return flow.error();
  return Value::text(std::move(out));
}

// cycler(items...) and joiner(separator).
Result<Value> Interpreter::make_walker(const std::string& name, const CallArguments& arguments) {
  QUIRE_TRY(runtime_.budget.spend(8 + arguments.positional.size()));
  loops_.emplace_back();
  LoopState& walker = loops_.back();
  if (name == "cycler") {
    if (arguments.positional.empty()) return invalid_argument("cycler needs values");
    walker.kind = LoopState::Kind::kCycler;
    walker.items = arguments.positional;
  } else {
    QUIRE_TRY(arguments.check("joiner", 0, {"sep"}));
    walker.kind = LoopState::Kind::kJoiner;
    const Value* separator = arguments.find(0, "sep");
    walker.items.push_back(separator == nullptr ? Value::text(", ", true) : *separator);
  }
  return Value::loop(&walker);
}

Result<Value> Interpreter::call_function(const std::string& name, const CallArguments& arguments) {
  QUIRE_TRY(charge_call(Value(), arguments, &runtime_.budget));
  if (name == "range") return make_range(arguments);
  if (name == "cycler" || name == "joiner") return make_walker(name, arguments);
  if (name == "namespace") return make_namespace(arguments);
  if (name == "strftime_now") return format_time(arguments, runtime_.now_seconds);
  if (name == "raise_exception") {
    QUIRE_TRY(arguments.check(name, 1, {"message"}));
    QUIRE_ASSIGN(const Text message, to_text(*arguments.find(0, "message"), &runtime_.budget));
    raised_ = true;
    std::string line = message.bytes;
    std::replace(line.begin(), line.end(), '\n', ' ');
    return invalid_argument(std::move(line));
  }
  return make_dictionary(arguments);
}

// dict(): a dictionary or a list of pairs, and named values.
Result<Value> Interpreter::make_dictionary(const CallArguments& arguments) {
  Dict dict;
  if (arguments.positional.size() > 1) return invalid_argument("dict() takes one dictionary");
  if (!arguments.positional.empty() && arguments.positional[0].is(Kind::kDict)) {
    QUIRE_TRY(runtime_.budget.spend(arguments.positional[0].as_dict().items.size()));
    dict = arguments.positional[0].as_dict();
  } else if (!arguments.positional.empty()) {
    QUIRE_ASSIGN(const std::vector<Value> pairs,
                 items_of(arguments.positional[0], &runtime_.budget));
    for (const Value& pair : pairs) {
      QUIRE_ASSIGN(const std::vector<Value> sides, items_of(pair, &runtime_.budget));
      if (sides.size() != 2) return invalid_argument("dict() takes a dictionary or pairs");
      if (!is_hashable(sides[0])) return misused(sides[0], "cannot be a key");
      QUIRE_TRY(charge_lookup(dict, sides[0], &runtime_.budget));
      dict.set(sides[0], sides[1]);
    }
  }
  for (const auto& [key, value] : arguments.keywords) {
    QUIRE_TRY(charge_lookup(dict, Value::text(key, true), &runtime_.budget));
    dict.set(Value::text(key, true), value);
  }
  return make_dict(std::move(dict));
}

// The numbers are made at once, hence the limit, which is the sandbox's.
Result<Value> Interpreter::make_range(const CallArguments& arguments) {
  QUIRE_TRY(arguments.check("range", 1, {"start", "stop", "step"}));
  QUIRE_ASSIGN(std::int64_t start, integer_argument(arguments, 0, "start", 0));
  QUIRE_ASSIGN(std::int64_t stop, integer_argument(arguments, 1, "stop", 0));
  QUIRE_ASSIGN(const std::int64_t step, integer_argument(arguments, 2, "step", 1));
  bool trusted = true;
  for (const Value& value : arguments.positional) trusted = trusted && value.is_trusted();
  if (arguments.positional.size() == 1) stop = std::exchange(start, 0);
  if (step == 0) return invalid_argument("range: the step is zero");
  std::vector<Value> items;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (static_cast<std::int64_t>(items.size()) == kMaxRange) {
      return invalid_argument("range makes more than " + std::to_string(kMaxRange) + " numbers");
    }
    QUIRE_TRY(runtime_.budget.spend());
    items.push_back(Value::integer(at, trusted));
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return make_list(std::move(items));
}

Result<Value> Interpreter::make_namespace(const CallArguments& arguments) {
  QUIRE_TRY(runtime_.budget.spend(8));
  namespaces_.emplace_back();
  Namespace& space = namespaces_.back();
  for (const Value& value : arguments.positional) {
    if (!value.is(Kind::kDict)) return misused(value, "cannot fill a namespace");
    for (const auto& [key, member] : value.as_dict().items) {
      QUIRE_TRY(runtime_.budget.spend(1 + space.members.variables.size() / 16));
      if (key.is(Kind::kText)) space.members.set(key.as_text().bytes, member);
    }
  }
  QUIRE_TRY(
      runtime_.budget.spend(arguments.keywords.size() * (1 + space.members.variables.size() / 16)));
  for (const auto& [name, value] : arguments.keywords) space.members.set(name, value);
  return Value::space(&space);
}

Result<Value> Interpreter::call_loop_function(LoopState* loop,
                                              const std::string& name,
                                              const CallArguments& arguments) {
  if (loop->kind == LoopState::Kind::kCycler) {
    const std::size_t place = name == "reset" ? 0 : loop->index;
    loop->index = name == "reset" ? 0 : (place + 1) % loop->items.size();
    return name == "reset" ? Value::none() : loop->items[place];
  }
  if (name == "cycle") {
    if (arguments.positional.empty()) return invalid_argument("loop.cycle needs values");
    return arguments.positional[loop->index % arguments.positional.size()];
  }
  QUIRE_ASSIGN(const Value current, make_list(arguments.positional, true));
  bool changed = true;
  if (loop->last_changed) {
    QUIRE_ASSIGN(const bool same, equal(*loop->last_changed, current, &runtime_.budget));
    changed = !same;
  }
  loop->last_changed = current;
  return Value::boolean(changed, true);
}

}  // namespace quire::chat
