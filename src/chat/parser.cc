#include "chat/parser.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/expression_parser.h"
#include "chat/lexer.h"

namespace quire::chat {
namespace {

using StmtPtr = std::unique_ptr<Stmt>;

class TemplateParser {
 public:
  explicit TemplateParser(const std::vector<Token>& tokens) : in_(tokens) {}

  // Statements up to a tag with one of the names in `ends`, whose name is then taken, or (without
  // any) up to the end of the template.
  Result<Block> block(std::initializer_list<std::string_view> ends, std::string* end = nullptr);

 private:
  Result<StmtPtr> tag(const std::string& name);
  Result<StmtPtr> if_tag();
  Result<StmtPtr> for_tag();
  Result<StmtPtr> set_tag();
  Result<StmtPtr> macro_tag();
  Result<Block> macro_body(std::string_view end, Stmt* macro);
  Result<StmtPtr> block_tag();
  Result<StmtPtr> call_tag();
  Result<StmtPtr> filter_tag();
  Result<StmtPtr> with_tag();
  Result<StmtPtr> loop_control(Stmt::Kind kind);
  Result<Target> target(bool allow_attribute);
  Result<Target> target_part(bool allow_attribute);
  Result<std::vector<Parameter>> parameters();
  Result<std::vector<BlockFilter>> pipeline();
  // The body of a block tag up to its end tag, whose own end is taken as well.
  Result<Block> body(std::string_view end);
  Status end_of_tag();
  [[nodiscard]] StmtPtr make(Stmt::Kind kind) const;

  ExpressionParser in_;
  int loops_ = 0;  // how many loops of the macro being read are open
};

StmtPtr TemplateParser::make(Stmt::Kind kind) const {
  auto stmt = std::make_unique<Stmt>();
  stmt->kind = kind;
  stmt->line = in_.peek().line;
  return stmt;
}

Status TemplateParser::end_of_tag() {
  if (!in_.at(Token::Kind::kBlockEnd)) return in_.fail("expected the end of the tag, '%}'");
  in_.next();
  return ok_status();
}

Result<Block> TemplateParser::block(std::initializer_list<std::string_view> ends,
                                    std::string* end) {
  QUIRE_TRY(in_.enter());
  Block out;
  while (!in_.at(Token::Kind::kEnd)) {
    if (in_.at(Token::Kind::kText)) {
      StmtPtr stmt = make(Stmt::Kind::kText);
      stmt->text = Text(in_.next().text, true);
      out.push_back(std::move(stmt));
    } else if (in_.at(Token::Kind::kOutputBegin)) {
      StmtPtr stmt = make(Stmt::Kind::kOutput);
      in_.next();
      QUIRE_ASSIGN(stmt->expr, in_.tuple());
      if (!in_.at(Token::Kind::kOutputEnd)) return in_.fail("expected the end of the output, '}}'");
      in_.next();
      out.push_back(std::move(stmt));
    } else {
      in_.next();
      QUIRE_ASSIGN(const std::string name, in_.expect_name());
      if (std::find(ends.begin(), ends.end(), name) != ends.end()) {
        in_.leave();
        if (end != nullptr) *end = name;
        return out;
      }
      QUIRE_ASSIGN(StmtPtr stmt, tag(name));
      out.push_back(std::move(stmt));
    }
  }
  in_.leave();
  if (ends.size() == 0) return out;
  return in_.fail("the template ends where '" + std::string(*ends.begin()) + "' is missing");
}

Result<Block> TemplateParser::body(std::string_view end) {
  QUIRE_TRY(end_of_tag());
  QUIRE_ASSIGN(Block out, block({end}));
  QUIRE_TRY(end_of_tag());
  return out;
}

Result<StmtPtr> TemplateParser::tag(const std::string& name) {
  if (name == "if") return if_tag();
  if (name == "for") return for_tag();
  if (name == "set") return set_tag();
  if (name == "macro") return macro_tag();
  if (name == "call") return call_tag();
  if (name == "filter") return filter_tag();
  if (name == "with") return with_tag();
  if (name == "break") return loop_control(Stmt::Kind::kBreak);
  if (name == "continue") return loop_control(Stmt::Kind::kContinue);
  if (name == "block") return block_tag();
  if (name == "generation") {
    // Marks the model's own words for training; when prompting it prints what is in it.
    StmtPtr stmt = make(Stmt::Kind::kScope);
    QUIRE_ASSIGN(stmt->body, body("endgeneration"));
    return stmt;
  }
  return in_.fail("the tag '" + name.substr(0, 40) + "' is not supported");
}

// A part that another template could replace; none can here, so it is what is in it.
Result<StmtPtr> TemplateParser::block_tag() {
  StmtPtr stmt = make(Stmt::Kind::kScope);
  QUIRE_ASSIGN(const std::string name, in_.expect_name());
  if (!in_.skip_name("scoped")) in_.skip_name("required");
  QUIRE_TRY(end_of_tag());
  QUIRE_ASSIGN(stmt->body, block({"endblock"}));
  in_.skip_name(name);
  QUIRE_TRY(end_of_tag());
  return stmt;
}

// All branches are one statement, however many elifs there are.
Result<StmtPtr> TemplateParser::if_tag() {
  StmtPtr stmt = make(Stmt::Kind::kIf);
  std::string end = "elif";
  while (end == "elif") {
    QUIRE_ASSIGN(ExprPtr condition, in_.tuple(false));
    QUIRE_TRY(end_of_tag());
    QUIRE_ASSIGN(Block branch, block({"endif", "elif", "else"}, &end));
    stmt->branches.emplace_back(std::move(condition), std::move(branch));
  }
  if (end == "else") {
    QUIRE_ASSIGN(stmt->otherwise, body("endif"));
    return stmt;
  }
  QUIRE_TRY(end_of_tag());
  return stmt;
}

Result<StmtPtr> TemplateParser::for_tag() {
  StmtPtr stmt = make(Stmt::Kind::kFor);
  QUIRE_ASSIGN(stmt->target, target(false));
  if (!in_.skip_name("in")) return in_.fail("expected 'in' after the variables of a loop");
  QUIRE_ASSIGN(stmt->expr, in_.tuple(false));
  if (in_.skip_name("if")) {
    QUIRE_ASSIGN(stmt->condition, in_.expression());
  }
  stmt->is_recursive = in_.skip_name("recursive");
  QUIRE_TRY(end_of_tag());
  std::string end;
  ++loops_;
  QUIRE_ASSIGN(stmt->body, block({"endfor", "else"}, &end));
  --loops_;
  if (end == "else") {
    QUIRE_ASSIGN(stmt->otherwise, body("endfor"));
    return stmt;
  }
  QUIRE_TRY(end_of_tag());
  return stmt;
}

// {% set a = 1 %} or {% set a | filter %}text{% endset %}.
Result<StmtPtr> TemplateParser::set_tag() {
  StmtPtr stmt = make(Stmt::Kind::kSet);
  QUIRE_ASSIGN(stmt->target, target(true));
  if (in_.skip_operator("=")) {
    QUIRE_ASSIGN(stmt->expr, in_.tuple());
    QUIRE_TRY(end_of_tag());
    return stmt;
  }
  stmt->kind = Stmt::Kind::kSetBlock;
  QUIRE_ASSIGN(stmt->filters, pipeline());
  QUIRE_ASSIGN(stmt->body, body("endset"));
  return stmt;
}

// A loop around a macro is not one that its body could break out of. A macro takes more arguments
// than it has parameters for when it names them.
Result<Block> TemplateParser::macro_body(std::string_view end, Stmt* macro) {
  const int outer_loops = std::exchange(loops_, 0);
  const bool outer_varargs = in_.take_names_varargs();
  const bool outer_kwargs = in_.take_names_kwargs();
  QUIRE_ASSIGN(Block out, body(end));
  macro->takes_varargs = in_.take_names_varargs();
  macro->takes_kwargs = in_.take_names_kwargs();
  in_.restore_names(outer_varargs, outer_kwargs);
  loops_ = outer_loops;
  return out;
}

Result<StmtPtr> TemplateParser::macro_tag() {
  StmtPtr stmt = make(Stmt::Kind::kMacro);
  QUIRE_ASSIGN(stmt->name, in_.expect_name());
  QUIRE_ASSIGN(stmt->parameters, parameters());
  QUIRE_ASSIGN(stmt->body, macro_body("endmacro", stmt.get()));
  return stmt;
}

Result<StmtPtr> TemplateParser::call_tag() {
  StmtPtr stmt = make(Stmt::Kind::kCallBlock);
  if (in_.at_operator("(")) {
    QUIRE_ASSIGN(stmt->parameters, parameters());
  }
  QUIRE_ASSIGN(stmt->expr, in_.expression());
  if (stmt->expr->kind != Expr::Kind::kCall) return in_.fail("a call block needs a call");
  QUIRE_ASSIGN(stmt->body, macro_body("endcall", stmt.get()));
  return stmt;
}

Result<StmtPtr> TemplateParser::filter_tag() {
  StmtPtr stmt = make(Stmt::Kind::kFilterBlock);
  QUIRE_ASSIGN(BlockFilter first, in_.filter_name_and_arguments());
  QUIRE_ASSIGN(stmt->filters, pipeline());
  stmt->filters.insert(stmt->filters.begin(), std::move(first));
  QUIRE_ASSIGN(stmt->body, body("endfilter"));
  return stmt;
}

Result<StmtPtr> TemplateParser::with_tag() {
  StmtPtr stmt = make(Stmt::Kind::kWith);
  while (!in_.at(Token::Kind::kBlockEnd)) {
    if (!stmt->bindings.empty()) QUIRE_TRY(in_.expect_operator(","));
    QUIRE_ASSIGN(std::string name, in_.expect_name());
    QUIRE_TRY(in_.expect_operator("="));
    QUIRE_ASSIGN(ExprPtr value, in_.expression());
    stmt->bindings.emplace_back(std::move(name), std::move(value));
  }
  QUIRE_ASSIGN(stmt->body, body("endwith"));
  return stmt;
}

Result<StmtPtr> TemplateParser::loop_control(Stmt::Kind kind) {
  if (loops_ == 0) return in_.fail("break or continue outside of a loop");
  StmtPtr stmt = make(kind);
  QUIRE_TRY(end_of_tag());
  return stmt;
}

// a, or a, b, or (a, b), c, or (where allowed) namespace.a.
Result<Target> TemplateParser::target(bool allow_attribute) {
  Target out;
  while (true) {
    QUIRE_ASSIGN(Target part, target_part(allow_attribute));
    out.parts.push_back(std::move(part));
    if (!in_.skip_operator(",")) break;
    out.is_tuple = true;
    if (in_.at_name("in") || in_.at_operator("=") || in_.at_operator(")")) break;
  }
  if (out.is_tuple) return out;
  Target single = std::move(out.parts.front());
  return single;
}

Result<Target> TemplateParser::target_part(bool allow_attribute) {
  QUIRE_TRY(in_.enter());
  Target out;
  if (in_.skip_operator("(")) {
    QUIRE_ASSIGN(out, target(allow_attribute));
    QUIRE_TRY(in_.expect_operator(")"));
  } else {
    QUIRE_ASSIGN(out.name, in_.expect_name());
    if (allow_attribute && in_.skip_operator(".")) {
      QUIRE_ASSIGN(out.attribute, in_.expect_name());
    }
  }
  in_.leave();
  return out;
}

Result<std::vector<Parameter>> TemplateParser::parameters() {
  QUIRE_TRY(in_.expect_operator("("));
  std::vector<Parameter> out;
  while (!in_.at_operator(")")) {
    if (!out.empty()) QUIRE_TRY(in_.expect_operator(","));
    Parameter parameter;
    QUIRE_ASSIGN(parameter.name, in_.expect_name());
    if (in_.skip_operator("=")) {
      QUIRE_ASSIGN(parameter.fallback, in_.expression());
    } else if (!out.empty() && out.back().fallback != nullptr) {
      return in_.fail("a parameter without a default follows one with a default");
    }
    out.push_back(std::move(parameter));
  }
  in_.next();
  return out;
}

Result<std::vector<BlockFilter>> TemplateParser::pipeline() {
  std::vector<BlockFilter> out;
  while (in_.skip_operator("|")) {
    QUIRE_ASSIGN(BlockFilter filter, in_.filter_name_and_arguments());
    out.push_back(std::move(filter));
  }
  return out;
}

}  // namespace

Result<Block> parse_template(std::string_view source) {
  if (source.size() > kMaxTemplateBytes) {
    return bad_model("the chat template has more than " + std::to_string(kMaxTemplateBytes) +
                     " bytes");
  }
  QUIRE_ASSIGN(const std::vector<Token> tokens, tokenize_template(source));
  return TemplateParser(tokens).block({});
}

}  // namespace quire::chat
