#include "chat/own_texts.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/role_names.h"

namespace quire::chat {
namespace {

using Kind = Expr::Kind;

// Stands for a role in a text that is being put together; no template has use for it.
constexpr char kRole = '\x1F';

bool is_role(const Expr& expr) {
  if (expr.kind == Kind::kName || expr.kind == Kind::kAttribute) return expr.name == "role";
  if (expr.kind != Kind::kSubscript) return false;
  const Expr& key = *expr.parts[1];
  return key.kind == Kind::kLiteral && key.value.is(Value::Kind::kText) &&
         key.value.as_text().bytes == "role";
}

// Recursion is bounded by the parser's limit on nesting.
class Collector {
 public:
  std::vector<std::string> take() { return std::move(texts_); }

  void block(const Block& block) {
    std::string run;
    for (const auto& stmt : block) {
      if (stmt->kind == Stmt::Kind::kText) {
        run += stmt->text.bytes;
      } else if (stmt->kind == Stmt::Kind::kOutput) {
        print(*stmt->expr, &run);
      } else {
        end(&run);
        inside(*stmt);
      }
    }
    end(&run);
  }

 private:
  // What an expression prints, as far as it is known, goes to `run`; what is not known ends it.
  void print(const Expr& expr, std::string* run) {
    if (expr.kind == Kind::kLiteral && expr.value.is(Value::Kind::kText)) {
      *run += expr.value.as_text().bytes;
    } else if (is_role(expr)) {
      run->push_back(kRole);
    } else if (expr.kind == Kind::kConcat || is_sum(expr)) {
      for (const ExprPtr& part : expr.parts) print(*part, run);
    } else {
      end(run);
      parts_of(expr);
    }
  }

  static bool is_sum(const Expr& expr) {
    return expr.kind == Kind::kArithmetic && expr.operators.front() == "+";
  }

  void parts_of(const Expr& expr) {
    for (const ExprPtr& part : expr.parts) alone(part.get());
    arguments(expr.arguments);
  }

  void arguments(const Arguments& arguments) {
    for (const ExprPtr& part : arguments.positional) alone(part.get());
    for (const Keyword& keyword : arguments.keywords) alone(keyword.value.get());
    alone(arguments.list.get());
    alone(arguments.dict.get());
  }

  void alone(const Expr* expr) {
    if (expr == nullptr) return;
    std::string run;
    print(*expr, &run);
    end(&run);
  }

  void filters(const std::vector<BlockFilter>& filters) {
    for (const BlockFilter& filter : filters) arguments(filter.arguments);
  }

  void inside(const Stmt& stmt) {
    alone(stmt.expr.get());
    alone(stmt.condition.get());
    for (const Parameter& parameter : stmt.parameters) alone(parameter.fallback.get());
    filters(stmt.filters);
    for (const auto& [condition, branch] : stmt.branches) {
      alone(condition.get());
      block(branch);
    }
    for (const auto& [name, value] : stmt.bindings) alone(value.get());
    block(stmt.body);
    block(stmt.otherwise);
  }

  void end(std::string* run) {
    const std::string text = std::exchange(*run, {});
    if (text.empty()) return;
    if (text.find(kRole) == std::string::npos) {
      texts_.push_back(text);
      return;
    }
    for (const std::string_view name : kRoleNames) {
      std::string with_name;
      for (const char c : text) {
        if (c == kRole) {
          with_name += name;
        } else {
          with_name.push_back(c);
        }
      }
      texts_.push_back(std::move(with_name));
    }
  }

  std::vector<std::string> texts_;
};

}  // namespace

std::vector<std::string> own_texts(const Block& block) {
  Collector collector;
  collector.block(block);
  return collector.take();
}

}  // namespace quire::chat
