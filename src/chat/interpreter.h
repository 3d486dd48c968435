#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "chat/ast.h"
#include "chat/objects.h"
#include "chat/runtime.h"
#include "quire/result.h"

namespace quire::chat {

// Runs a parsed template once. Owns what the template makes while it runs (scopes, namespaces,
// loops, callables), so that values may point at each other in circles without leaking. The
// template must outlive it. One thread, one rendering.
class Interpreter {
 public:
  explicit Interpreter(Runtime runtime) : runtime_(runtime) {}

  // The text a template prints when it finds `variables` defined.
  Result<Text> run(const Block& block, const Scope& variables);

 private:
  // How a block was left.
  enum class Flow { kNormal, kBreak, kContinue };

  Result<Flow> run_block(const Block& block, Scope* scope);
  Result<Flow> run_stmt(const Stmt& stmt, Scope* scope);
  Result<Flow> run_if(const Stmt& stmt, Scope* scope);
  Result<Flow> run_for(const Stmt& stmt, Scope* scope);
  Result<Flow> run_loop(const Stmt& stmt, const Value& iterable, std::int64_t depth, Scope* scope);
  Result<std::vector<Value>> loop_items(const Stmt& stmt, const Value& iterable, Scope* scope);
  Status run_set(const Stmt& stmt, Scope* scope);
  Status run_call_block(const Stmt& stmt, Scope* scope);
  Status run_filter_block(const Stmt& stmt, Scope* scope);
  Result<Flow> run_with(const Stmt& stmt, Scope* scope);
  Status assign(const Target& target, const Value& value, Scope* scope);
  Status print(const Text& text);
  // What a block prints, instead of printing it.
  Result<Text> capture(const Block& block, Scope* scope);
  Result<Value> filtered(const std::vector<BlockFilter>& filters, Text text, Scope* scope);

  Result<Value> eval(const Expr& expr, Scope* scope);
  Result<Value> eval_kind(const Expr& expr, Scope* scope);
  Result<Value> eval_name(const Expr& expr, const Scope& scope);
  Result<Value> eval_parts(const Expr& expr, Scope* scope);
  Result<Value> eval_dict(const Expr& expr, Scope* scope);
  Result<Value> eval_access(const Expr& expr, Scope* scope);
  Result<Value> eval_arithmetic(const Expr& expr, Scope* scope);
  Result<Value> eval_concat(const Expr& expr, Scope* scope);
  Result<Value> eval_compare(const Expr& expr, Scope* scope);
  Result<Value> eval_logic(const Expr& expr, Scope* scope);
  Result<Value> eval_conditional(const Expr& expr, Scope* scope);
  Result<CallArguments> eval_arguments(const Arguments& arguments, Scope* scope);
  Result<Value> call(const Value& callee, const CallArguments& arguments);
  Result<Value> call_function(const std::string& name, const CallArguments& arguments);
  Result<Value> call_macro(const Callable& macro, const CallArguments& arguments);
  Status take_further_arguments(const Callable& macro,
                                const CallArguments& arguments,
                                Scope* scope);
  Result<Value> call_loop(LoopState* loop, const CallArguments& arguments);
  Result<Value> make_walker(const std::string& name, const CallArguments& arguments);
  Result<Value> make_dictionary(const CallArguments& arguments);
  Result<Value> call_loop_function(LoopState* loop,
                                   const std::string& name,
                                   const CallArguments& arguments);
  Result<Value> make_range(const CallArguments& arguments);
  Result<Value> make_namespace(const CallArguments& arguments);

  Value make_callable(Callable callable);
  Result<Scope*> make_scope(const Scope* parent);
  Status enter();
  [[nodiscard]] Status at_line(const Status& status, int line) const;

  Runtime runtime_;
  Text* out_ = nullptr;
  int depth_ = 0;
  bool raised_ = false;  // by raise_exception, whose message is the template's and needs no line
  std::deque<Scope> scopes_;
  std::deque<Namespace> namespaces_;
  std::deque<LoopState> loops_;
  std::deque<Callable> callables_;
};

}  // namespace quire::chat
