#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/ast.h"
#include "chat/lexer.h"
#include "quire/result.h"

namespace quire::chat {

// Reads expressions from a list of tokens by recursive descent; nesting is bounded by kMaxNesting.
// The tokens must outlive it and end with a kEnd token.
class ExpressionParser {
 public:
  explicit ExpressionParser(const std::vector<Token>& tokens) : tokens_(&tokens) {}

  // One expression, without or with the commas of a tuple.
  Result<ExprPtr> expression(bool with_conditional = true);
  Result<ExprPtr> tuple(bool with_conditional = true);
  Result<BlockFilter> filter_name_and_arguments();
  Result<Arguments> arguments();

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const;
  const Token& next();
  [[nodiscard]] bool at(Token::Kind kind) const { return peek().kind == kind; }
  [[nodiscard]] bool at_operator(std::string_view op, std::size_t ahead = 0) const;
  [[nodiscard]] bool at_name(std::string_view name, std::size_t ahead = 0) const;
  bool skip_operator(std::string_view op);
  bool skip_name(std::string_view name);
  Status expect_operator(std::string_view op);
  Result<std::string> expect_name();
  [[nodiscard]] Status fail(const std::string& why) const;

  // Counts a level of nesting; leave() undoes it.
  Status enter();
  void leave() { --depth_; }

  // Whether the names varargs and kwargs have been read since this was last asked.
  bool take_names_varargs() { return std::exchange(names_varargs_, false); }
  void restore_names(bool varargs, bool kwargs) {
    names_varargs_ = varargs;
    names_kwargs_ = kwargs;
  }
  bool take_names_kwargs() { return std::exchange(names_kwargs_, false); }

 private:
  Result<ExprPtr> conditional();
  Result<ExprPtr> disjunction();
  Result<ExprPtr> conjunction();
  Result<ExprPtr> negation();
  Result<ExprPtr> comparison();
  Result<ExprPtr> sum();
  Result<ExprPtr> concatenation();
  Result<ExprPtr> product();
  Result<ExprPtr> power();
  Result<ExprPtr> unary(bool with_filter);
  Result<ExprPtr> primary();
  Result<ExprPtr> postfix(ExprPtr base);
  Result<ExprPtr> filters(ExprPtr base);
  Result<ExprPtr> subscript(ExprPtr base);
  Result<ExprPtr> test(ExprPtr base);
  Result<ExprPtr> call(ExprPtr callee);
  Result<ExprPtr> list();
  Result<ExprPtr> dict();

  using Level = Result<ExprPtr> (ExpressionParser::*)();
  // operand (operator operand)* for the operators given, as one flat node: long sums must not
  // become deep trees.
  Result<ExprPtr> chain(Expr::Kind kind,
                        std::initializer_list<std::string_view> ops,
                        Level operand);
  [[nodiscard]] ExprPtr make(Expr::Kind kind) const;
  // Sets the height of a finished node from its parts, or fails when it is too high.
  Result<ExprPtr> seal(ExprPtr expr) const;

  const std::vector<Token>* tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool names_varargs_ = false;
  bool names_kwargs_ = false;
};

}  // namespace quire::chat
