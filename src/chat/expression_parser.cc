#include "chat/expression_parser.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/parser.h"

namespace quire::chat {
namespace {

// A token as a message shows it.
std::string described(const Token& token) {
  switch (token.kind) {
    case Token::Kind::kText:
      return "text";
    case Token::Kind::kEnd:
      return "the end of the template";
    case Token::Kind::kBlockEnd:
      return "'%}'";
    case Token::Kind::kOutputEnd:
      return "'}}'";
    case Token::Kind::kBlockBegin:
      return "'{%'";
    case Token::Kind::kOutputBegin:
      return "'{{'";
    case Token::Kind::kString:
      return "a string";
    default:
      return "'" + token.text.substr(0, 40) + "'";
  }
}

constexpr std::size_t kMaxArguments = 64;

}  // namespace

const Token& ExpressionParser::peek(std::size_t ahead) const {
  return (*tokens_)[std::min(at_ + ahead, tokens_->size() - 1)];
}

const Token& ExpressionParser::next() {
  const Token& token = peek();
  if (at_ + 1 < tokens_->size()) ++at_;
  return token;
}

bool ExpressionParser::at_operator(std::string_view op, std::size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == Token::Kind::kOperator && token.text == op;
}

bool ExpressionParser::at_name(std::string_view name, std::size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == Token::Kind::kName && token.text == name;
}

bool ExpressionParser::skip_operator(std::string_view op) {
  if (!at_operator(op)) return false;
  next();
  return true;
}

bool ExpressionParser::skip_name(std::string_view name) {
  if (!at_name(name)) return false;
  next();
  return true;
}

Status ExpressionParser::expect_operator(std::string_view op) {
  if (skip_operator(op)) return ok_status();
  return fail("expected '" + std::string(op) + "', got " + described(peek()));
}

Result<std::string> ExpressionParser::expect_name() {
  if (!at(Token::Kind::kName)) return fail("expected a name, got " + described(peek()));
  return next().text;
}

Status ExpressionParser::fail(const std::string& why) const {
  return bad_model("chat template line " + std::to_string(peek().line) + ": " + why);
}

Status ExpressionParser::enter() {
  if (++depth_ <= kMaxNesting) return ok_status();
  return fail("nested more than " + std::to_string(kMaxNesting) + " levels deep");
}

ExprPtr ExpressionParser::make(Expr::Kind kind) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = peek().line;
  return expr;
}

Result<ExprPtr> ExpressionParser::seal(ExprPtr expr) const {
  int height = 0;
  for (const ExprPtr& part : expr->parts) {
    if (part != nullptr) height = std::max(height, part->height);
  }
  for (const ExprPtr& part : expr->arguments.positional) height = std::max(height, part->height);
  for (const Keyword& part : expr->arguments.keywords)
    height = std::max(height, part.value->height);
  for (const ExprPtr* part : {&expr->arguments.list, &expr->arguments.dict}) {
    if (*part != nullptr) height = std::max(height, (*part)->height);
  }
  expr->height = height + 1;
  if (expr->height > kMaxNesting) {
    return fail("an expression is nested more than " + std::to_string(kMaxNesting) +
                " levels deep");
  }
  return expr;
}

Result<ExprPtr> ExpressionParser::expression(bool with_conditional) {
  QUIRE_TRY(enter());
  auto result = with_conditional ? conditional() : disjunction();
  leave();
  return result;
}

// A comma makes a tuple; one may stand at the end.
Result<ExprPtr> ExpressionParser::tuple(bool with_conditional) {
  QUIRE_ASSIGN(ExprPtr first, expression(with_conditional));
  if (!at_operator(",")) return first;
  ExprPtr expr = make(Expr::Kind::kTuple);
  expr->parts.push_back(std::move(first));
  while (skip_operator(",")) {
    const bool ends = at(Token::Kind::kBlockEnd) || at(Token::Kind::kOutputEnd) ||
                      at_operator(")") || at_operator("=") || at_name("in");
    if (ends) break;
    QUIRE_ASSIGN(ExprPtr part, expression(with_conditional));
    expr->parts.push_back(std::move(part));
  }
  return seal(std::move(expr));
}

// a if b else c; without else the value may be undefined.
Result<ExprPtr> ExpressionParser::conditional() {
  QUIRE_ASSIGN(ExprPtr expr, disjunction());
  while (skip_name("if")) {
    ExprPtr choice = make(Expr::Kind::kConditional);
    QUIRE_ASSIGN(ExprPtr condition, disjunction());
    choice->parts.push_back(std::move(condition));
    choice->parts.push_back(std::move(expr));
    ExprPtr otherwise;
    if (skip_name("else")) {
      QUIRE_ASSIGN(otherwise, expression());
    }
    choice->parts.push_back(std::move(otherwise));
    QUIRE_ASSIGN(expr, seal(std::move(choice)));
  }
  return expr;
}

Result<ExprPtr> ExpressionParser::chain(Expr::Kind kind,
                                        std::initializer_list<std::string_view> ops,
                                        Level operand) {
  QUIRE_ASSIGN(ExprPtr first, (this->*operand)());
  ExprPtr expr;
  while (true) {
    const auto op = std::find_if(ops.begin(), ops.end(), [this](std::string_view o) {
      return at_operator(o) || at_name(o);
    });
    if (op == ops.end()) break;
    next();
    if (expr == nullptr) {
      expr = make(kind);
      expr->parts.push_back(std::move(first));
    }
    QUIRE_ASSIGN(ExprPtr part, (this->*operand)());
    expr->parts.push_back(std::move(part));
    expr->operators.emplace_back(*op);
  }
  if (expr == nullptr) return first;
  return seal(std::move(expr));
}

Result<ExprPtr> ExpressionParser::disjunction() {
  return chain(Expr::Kind::kOr, {"or"}, &ExpressionParser::conjunction);
}

Result<ExprPtr> ExpressionParser::conjunction() {
  return chain(Expr::Kind::kAnd, {"and"}, &ExpressionParser::negation);
}

Result<ExprPtr> ExpressionParser::negation() {
  if (!at_name("not")) return comparison();
  QUIRE_TRY(enter());
  ExprPtr expr = make(Expr::Kind::kNot);
  next();
  QUIRE_ASSIGN(ExprPtr part, negation());
  leave();
  expr->parts.push_back(std::move(part));
  return seal(std::move(expr));
}

// A chain of comparisons is one node, because a < b < c is not (a < b) < c.
Result<ExprPtr> ExpressionParser::comparison() {
  QUIRE_ASSIGN(ExprPtr first, sum());
  ExprPtr expr = make(Expr::Kind::kCompare);
  expr->parts.push_back(std::move(first));
  while (true) {
    std::string op;
    for (const std::string_view known : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (at_operator(known)) op = known;
    }
    if (op.empty() && at_name("in")) op = "in";
    if (op.empty() && at_name("not") && at_name("in", 1)) {
      next();
      op = "not in";
    }
    if (op.empty()) break;
    next();
    QUIRE_ASSIGN(ExprPtr part, sum());
    expr->parts.push_back(std::move(part));
    expr->operators.push_back(std::move(op));
  }
  if (expr->operators.empty()) return std::move(expr->parts[0]);
  return seal(std::move(expr));
}

Result<ExprPtr> ExpressionParser::sum() {
  return chain(Expr::Kind::kArithmetic, {"+", "-"}, &ExpressionParser::concatenation);
}

Result<ExprPtr> ExpressionParser::concatenation() {
  return chain(Expr::Kind::kConcat, {"~"}, &ExpressionParser::product);
}

Result<ExprPtr> ExpressionParser::product() {
  return chain(Expr::Kind::kArithmetic, {"*", "/", "//", "%"}, &ExpressionParser::power);
}

Result<ExprPtr> ExpressionParser::power() {
  QUIRE_ASSIGN(ExprPtr first, unary(true));
  if (!at_operator("**")) return first;
  ExprPtr expr = make(Expr::Kind::kArithmetic);
  expr->parts.push_back(std::move(first));
  while (skip_operator("**")) {
    QUIRE_ASSIGN(ExprPtr part, unary(true));
    expr->parts.push_back(std::move(part));
    expr->operators.emplace_back("**");
  }
  return seal(std::move(expr));
}

// A sign binds more tightly than a filter: -1|abs is 1.
Result<ExprPtr> ExpressionParser::unary(bool with_filter) {
  ExprPtr expr;
  if (at_operator("-") || at_operator("+")) {
    QUIRE_TRY(enter());
    expr = make(at_operator("-") ? Expr::Kind::kNegate : Expr::Kind::kPlus);
    next();
    QUIRE_ASSIGN(ExprPtr part, unary(false));
    leave();
    expr->parts.push_back(std::move(part));
    QUIRE_ASSIGN(expr, seal(std::move(expr)));
  } else {
    QUIRE_ASSIGN(expr, primary());
  }
  QUIRE_ASSIGN(expr, postfix(std::move(expr)));
  if (!with_filter) return expr;
  return filters(std::move(expr));
}

// Strings beside each other are one string.
Result<ExprPtr> ExpressionParser::primary() {
  ExprPtr expr = make(Expr::Kind::kLiteral);
  const Token& token = peek();
  switch (token.kind) {
    case Token::Kind::kName:
      next();
      if (token.text == "true" || token.text == "True") {
        expr->value = Value::boolean(true, true);
      } else if (token.text == "false" || token.text == "False") {
        expr->value = Value::boolean(false, true);
      } else if (token.text == "none" || token.text == "None") {
        expr->value = Value::none();
      } else {
        expr->kind = Expr::Kind::kName;
        expr->name = token.text;
        if (token.text == "varargs") names_varargs_ = true;
        if (token.text == "kwargs") names_kwargs_ = true;
      }
      return expr;
    case Token::Kind::kString: {
      std::string text;
      while (at(Token::Kind::kString)) text += next().text;
      expr->value = Value::text(text, true);
      return expr;
    }
    case Token::Kind::kInteger:
      expr->value = Value::digits(next().text, true);
      return expr;
    case Token::Kind::kFloat:
      expr->value = Value::real(next().real, true);
      return expr;
    default:
      break;
  }
  if (at_operator("[")) return list();
  if (at_operator("{")) return dict();
  if (!at_operator("(")) return fail("unexpected " + described(token));
  next();
  if (skip_operator(")")) {
    expr->kind = Expr::Kind::kTuple;
    return expr;
  }
  QUIRE_ASSIGN(expr, tuple());
  QUIRE_TRY(expect_operator(")"));
  return expr;
}

Result<ExprPtr> ExpressionParser::list() {
  ExprPtr expr = make(Expr::Kind::kList);
  next();
  while (!at_operator("]")) {
    if (!expr->parts.empty()) QUIRE_TRY(expect_operator(","));
    if (at_operator("]")) break;
    QUIRE_ASSIGN(ExprPtr part, expression());
    expr->parts.push_back(std::move(part));
  }
  next();
  return seal(std::move(expr));
}

Result<ExprPtr> ExpressionParser::dict() {
  ExprPtr expr = make(Expr::Kind::kDict);
  next();
  while (!at_operator("}")) {
    if (!expr->parts.empty()) QUIRE_TRY(expect_operator(","));
    if (at_operator("}")) break;
    QUIRE_ASSIGN(ExprPtr key, expression());
    QUIRE_TRY(expect_operator(":"));
    QUIRE_ASSIGN(ExprPtr value, expression());
    expr->parts.push_back(std::move(key));
    expr->parts.push_back(std::move(value));
  }
  next();
  return seal(std::move(expr));
}

Result<ExprPtr> ExpressionParser::postfix(ExprPtr base) {
  while (true) {
    if (at_operator(".") || at_operator("[")) {
      QUIRE_ASSIGN(base, subscript(std::move(base)));
    } else if (at_operator("(")) {
      QUIRE_ASSIGN(base, call(std::move(base)));
    } else {
      return base;
    }
  }
}

Result<ExprPtr> ExpressionParser::filters(ExprPtr base) {
  while (true) {
    if (at_operator("|")) {
      ExprPtr expr = make(Expr::Kind::kFilter);
      next();
      QUIRE_ASSIGN(BlockFilter filter, filter_name_and_arguments());
      expr->name = std::move(filter.name);
      expr->arguments = std::move(filter.arguments);
      expr->parts.push_back(std::move(base));
      QUIRE_ASSIGN(base, seal(std::move(expr)));
    } else if (at_name("is")) {
      QUIRE_ASSIGN(base, test(std::move(base)));
    } else if (at_operator("(")) {
      QUIRE_ASSIGN(base, call(std::move(base)));
    } else {
      return base;
    }
  }
}

Result<ExprPtr> ExpressionParser::subscript(ExprPtr base) {
  ExprPtr expr = make(Expr::Kind::kSubscript);
  expr->parts.push_back(std::move(base));
  if (skip_operator(".")) {
    if (at(Token::Kind::kInteger)) {
      ExprPtr index = make(Expr::Kind::kLiteral);
      index->value = Value::digits(next().text, true);
      expr->parts.push_back(std::move(index));
    } else {
      expr->kind = Expr::Kind::kAttribute;
      QUIRE_ASSIGN(expr->name, expect_name());
    }
    return seal(std::move(expr));
  }
  next();
  const auto part = [this](bool may_end) -> Result<ExprPtr> {
    if (may_end && (at_operator(":") || at_operator("]"))) return ExprPtr();
    return expression();
  };
  QUIRE_ASSIGN(ExprPtr first, part(at_operator(":")));
  expr->parts.push_back(std::move(first));
  if (skip_operator(":")) {
    expr->kind = Expr::Kind::kSlice;
    QUIRE_ASSIGN(ExprPtr stop, part(true));
    expr->parts.push_back(std::move(stop));
    ExprPtr step;
    if (skip_operator(":")) {
      QUIRE_ASSIGN(step, part(true));
    }
    expr->parts.push_back(std::move(step));
  }
  QUIRE_TRY(expect_operator("]"));
  return seal(std::move(expr));
}

// x is name, x is name argument or x is name(arguments).
Result<ExprPtr> ExpressionParser::test(ExprPtr base) {
  ExprPtr expr = make(Expr::Kind::kTest);
  next();
  const bool negated = skip_name("not");
  QUIRE_ASSIGN(expr->name, expect_name());
  const bool at_value = at(Token::Kind::kName) || at(Token::Kind::kString) ||
                        at(Token::Kind::kInteger) || at(Token::Kind::kFloat) || at_operator("[") ||
                        at_operator("{");
  const bool at_keyword = at_name("else") || at_name("or") || at_name("and");
  if (at_operator("(")) {
    QUIRE_ASSIGN(expr->arguments, arguments());
  } else if (at_value && !at_keyword) {
    if (at_name("is")) return fail("tests with 'is' cannot be chained");
    QUIRE_ASSIGN(ExprPtr argument, primary());
    QUIRE_ASSIGN(argument, postfix(std::move(argument)));
    expr->arguments.positional.push_back(std::move(argument));
  }
  expr->parts.push_back(std::move(base));
  QUIRE_ASSIGN(expr, seal(std::move(expr)));
  if (!negated) return expr;
  ExprPtr negation = make(Expr::Kind::kNot);
  negation->parts.push_back(std::move(expr));
  return seal(std::move(negation));
}

Result<ExprPtr> ExpressionParser::call(ExprPtr callee) {
  ExprPtr expr = make(Expr::Kind::kCall);
  QUIRE_ASSIGN(expr->arguments, arguments());
  expr->parts.push_back(std::move(callee));
  return seal(std::move(expr));
}

Result<BlockFilter> ExpressionParser::filter_name_and_arguments() {
  BlockFilter filter;
  QUIRE_ASSIGN(filter.name, expect_name());
  if (at_operator("(")) {
    QUIRE_ASSIGN(filter.arguments, arguments());
  }
  return filter;
}

Result<Arguments> ExpressionParser::arguments() {
  QUIRE_TRY(expect_operator("("));
  Arguments out;
  bool is_first = true;
  while (!at_operator(")")) {
    if (!is_first) QUIRE_TRY(expect_operator(","));
    is_first = false;
    if (at_operator(")")) break;
    if (at_operator("*") || at_operator("**")) {
      ExprPtr& unpacked = at_operator("*") ? out.list : out.dict;
      if (unpacked != nullptr || out.dict != nullptr) return fail("arguments are unpacked twice");
      next();
      QUIRE_ASSIGN(unpacked, expression());
      continue;
    }
    if (out.dict != nullptr) return fail("an argument follows unpacked ones");
    if (out.positional.size() + out.keywords.size() >= kMaxArguments) {
      return fail("a call has too many arguments");
    }
    if (at(Token::Kind::kName) && at_operator("=", 1)) {
      Keyword keyword;
      keyword.name = next().text;
      next();
      QUIRE_ASSIGN(keyword.value, expression());
      out.keywords.push_back(std::move(keyword));
    } else {
      if (!out.keywords.empty() || out.list != nullptr) {
        return fail("a positional argument follows a named one");
      }
      QUIRE_ASSIGN(ExprPtr value, expression());
      out.positional.push_back(std::move(value));
    }
  }
  next();
  return out;
}

}  // namespace quire::chat
