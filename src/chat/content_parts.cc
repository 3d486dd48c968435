#include "chat/content_parts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace quire::chat {
namespace {

using Kind = Expr::Kind;

bool is_text_literal(const Expr& expr, std::string_view text) {
  return expr.kind == Kind::kLiteral && expr.value.is(Value::Kind::kText) &&
         expr.value.as_text().bytes == text;
}

// Looks through a template for uses of a content as a list. Recursion is bounded by the parser's
// limit on nesting.
class PartsFinder {
 public:
  bool find(const Block& block) {
    // A name may get the content after the place where it is used, as in a loop.
    for (std::size_t before = 0; before != contents_.size() && !found_;) {
      before = contents_.size();
      walk(block);
    }
    return found_;
  }

 private:
  // The content of a message, a name that was given one, or either with a fallback or a filter.
  [[nodiscard]] bool is_content(const Expr& expr) const {
    switch (expr.kind) {
      case Kind::kName:
        return contents_.contains(expr.name);
      case Kind::kAttribute:
        return expr.name == "content";
      case Kind::kSubscript:
        return is_text_literal(*expr.parts[1], "content");
      case Kind::kCall: {  // message.get("content")
        const Expr& callee = *expr.parts[0];
        const auto& arguments = expr.arguments.positional;
        return callee.kind == Kind::kAttribute && callee.name == "get" && !arguments.empty() &&
               is_text_literal(*arguments[0], "content");
      }
      case Kind::kFilter:
      case Kind::kSlice:
        return is_content(*expr.parts[0]);
      case Kind::kOr:
      case Kind::kConditional:
        return std::ranges::any_of(expr.parts, [this](const ExprPtr& part) {
          return part != nullptr && is_content(*part);
        });
      default:
        return false;
    }
  }

  void look_at(const Expr& expr) {
    constexpr std::array<std::string_view, 6> kOfLists = {
        "selectattr", "rejectattr", "map", "first", "last", "list"};
    if (expr.kind == Kind::kFilter && is_content(*expr.parts[0])) {
      found_ |= std::ranges::find(kOfLists, expr.name) != kOfLists.end();
    }
    if (expr.kind == Kind::kSubscript && is_content(*expr.parts[0])) {
      const Expr& key = *expr.parts[1];
      found_ |= key.kind == Kind::kLiteral && key.value.is_integer();
    }
    for (const ExprPtr& part : expr.parts) {
      if (part != nullptr) look_at(*part);
    }
    look_at(expr.arguments);
  }

  void look_at(const Arguments& arguments) {
    for (const ExprPtr& part : arguments.positional) look_at(*part);
    for (const Keyword& keyword : arguments.keywords) look_at(*keyword.value);
    if (arguments.list != nullptr) look_at(*arguments.list);
    if (arguments.dict != nullptr) look_at(*arguments.dict);
  }

  void look_at(const ExprPtr& expr) {
    if (expr != nullptr) look_at(*expr);
  }

  void walk(const Block& block) {
    for (const auto& stmt : block) walk(*stmt);
  }

  void walk(const Stmt& stmt) {
    look_at(stmt.expr);
    look_at(stmt.condition);
    if (stmt.expr != nullptr && is_content(*stmt.expr)) {
      found_ |= stmt.kind == Stmt::Kind::kFor;
      if (stmt.kind == Stmt::Kind::kSet) {
        contents_.insert(stmt.target.attribute.empty() ? stmt.target.name : stmt.target.attribute);
      }
    }
    for (const auto& [name, value] : stmt.bindings) {
      look_at(value);
      if (is_content(*value)) contents_.insert(name);
    }
    for (const Parameter& parameter : stmt.parameters) look_at(parameter.fallback);
    for (const BlockFilter& filter : stmt.filters) look_at(filter.arguments);
    for (const auto& [condition, branch] : stmt.branches) {
      look_at(condition);
      walk(branch);
    }
    walk(stmt.body);
    walk(stmt.otherwise);
  }

  std::set<std::string> contents_ = {"content"};  // names that hold a content
  bool found_ = false;
};

}  // namespace

bool takes_content_parts(const Block& block) { return PartsFinder().find(block); }

Result<Value> content_as_string(const Value& content) {
  if (!content.is(Value::Kind::kList)) return content;
  Text out;
  for (const Value& part : content.as_list().items) {
    const Value* text = part.is(Value::Kind::kText) ? &part : nullptr;
    if (part.is(Value::Kind::kDict)) {
      const Value* type = part.as_dict().find("type");
      const bool is_text =
          type == nullptr || (type->is(Value::Kind::kText) && type->as_text().bytes == "text");
      if (is_text) text = part.as_dict().find("text");
    }
    if (text == nullptr || !text->is(Value::Kind::kText)) {
      return invalid_argument(
          "a part of a message's content is no text, and the chat template of this model takes "
          "text only; give parts such as {\"type\": \"text\", \"text\": \"...\"}");
    }
    if (!out.empty()) out.append("\n", false);
    out.append(text->as_text());
  }
  return Value::text(std::move(out));
}

}  // namespace quire::chat
