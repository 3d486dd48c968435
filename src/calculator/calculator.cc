#include "calculator/calculator.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "calculator/python_expression.h"
#include "calculator/python_methods.h"
#include "calculator/python_operators.h"
#include "calculator/python_value.h"

namespace quire {
namespace {

constexpr std::size_t kMaxExpressionBytes = 16384;
constexpr std::int64_t kMaxBits = 14286;  // more bits than any whole number of 4300 digits has
constexpr std::size_t kMaxResultDigits = 4300;
constexpr std::int64_t kMaxWork = 20'000'000;

using MaybeValue = std::optional<PythonValue>;

// Evaluates a tree; recursion is bounded by the brackets the parser allows.
class Evaluator {
 public:
  MaybeValue evaluate(const PythonNode& node) {
    switch (node.kind) {
      case PythonNode::Kind::kConstant:
        return node.value;
      case PythonNode::Kind::kConditional:
        return conditional(node);
      case PythonNode::Kind::kOr:
      case PythonNode::Kind::kAnd:
        return logical(node);
      case PythonNode::Kind::kNot:
        return negation(node);
      case PythonNode::Kind::kCompare:
        return comparison(node);
      case PythonNode::Kind::kArithmetic:
        return arithmetic(node);
      case PythonNode::Kind::kSign:
        return sign(node);
      case PythonNode::Kind::kTrailers:
        return trailers(node);
      case PythonNode::Kind::kName:  // there are no names to look up
      case PythonNode::Kind::kAttribute:
      case PythonNode::Kind::kCall:
        return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  // Charges an operation for the sizes of what it works on; false when the work is used up.
  bool charge(const PythonValue& a, const PythonValue& b) {
    work_ += 16 + size_of(a) + size_of(b) + size_of(a) * size_of(b) / 16;
    return work_ <= kMaxWork;
  }

  static std::int64_t size_of(const PythonValue& value) {
    if (const auto* integer = std::get_if<BigInteger>(&value)) {
      return static_cast<std::int64_t>(integer->num_limbs());
    }
    if (const auto* text = std::get_if<PythonText>(&value)) {
      return static_cast<std::int64_t>(text->text.size());
    }
    if (const auto* list = std::get_if<PythonSequence>(&value)) {
      return 16 * static_cast<std::int64_t>(list->items.size());
    }
    return 1;
  }

  MaybeValue conditional(const PythonNode& node) {
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
      const MaybeValue condition = evaluate(node.children[i + 1]);
      if (!condition) return std::nullopt;
      if (is_true(*condition)) return evaluate(node.children[i]);
    }
    return evaluate(node.children.back());
  }

  MaybeValue logical(const PythonNode& node) {
    MaybeValue value;
    for (const PythonNode& child : node.children) {
      value = evaluate(child);
      if (!value || is_true(*value) == (node.kind == PythonNode::Kind::kOr)) break;
    }
    return value;
  }

  MaybeValue negation(const PythonNode& node) {
    const MaybeValue value = evaluate(node.children.front());
    if (!value) return std::nullopt;
    return PythonValue(is_true(*value) == (node.operators.size() % 2 == 0));
  }

  MaybeValue comparison(const PythonNode& node) {
    MaybeValue left = evaluate(node.children.front());
    for (std::size_t i = 0; left && i < node.operators.size(); ++i) {
      MaybeValue right = evaluate(node.children[i + 1]);
      if (!right || !charge(*left, *right)) return std::nullopt;
      const std::optional<bool> holds = apply_comparison(node.operators[i], *left, *right);
      if (!holds) return std::nullopt;
      if (!*holds) return PythonValue(false);
      left = std::move(right);
    }
    return left ? MaybeValue(true) : std::nullopt;
  }

  MaybeValue arithmetic(const PythonNode& node) {
    MaybeValue value = evaluate(node.children.front());
    for (std::size_t i = 0; value && i < node.operators.size(); ++i) {
      const MaybeValue right = evaluate(node.children[i + 1]);
      if (!right || !charge(*value, *right)) return std::nullopt;
      value = apply_arithmetic(node.operators[i], *value, *right);
    }
    return value;
  }

  MaybeValue sign(const PythonNode& node) {
    MaybeValue value = evaluate(node.children.front());
    for (std::size_t i = node.operators.size(); value && i-- > 0;) {
      if (!charge(*value, PythonNone{})) return std::nullopt;
      value = apply_sign(node.operators[i], *value);
    }
    return value;
  }

  MaybeValue trailers(const PythonNode& node) {
    MaybeValue value = evaluate(node.children.front());
    for (std::size_t i = 1; value && i < node.children.size(); ++i) {
      const PythonNode& trailer = node.children[i];
      if (trailer.kind != PythonNode::Kind::kAttribute) return std::nullopt;  // no such function
      const bool is_call =
          i + 1 < node.children.size() && node.children[i + 1].kind == PythonNode::Kind::kCall;
      if (!is_call) {
        value = read_attribute(*value, trailer.text);
        continue;
      }
      const PythonNode& call = node.children[++i];
      MaybeValue argument;
      if (!call.children.empty()) {
        argument = evaluate(call.children.front());
        if (!argument) return std::nullopt;
      }
      if (!charge(*value, argument ? *argument : PythonValue())) return std::nullopt;
      value = call_method(*value, trailer.text, argument);
    }
    return value;
  }

  std::int64_t work_ = 0;
};

bool is_arithmetic(std::string_view text) {
  return text.find_first_not_of("0123456789*+-/.() ") == std::string_view::npos;
}

// Words that hold up an expression over texts, wherever in it they stand.
bool has_refused_word(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  // "input" stands for "raw_input" too, "eval" and "exec" for what begins with them.
  constexpr std::array<std::string_view, 15> kRefused = {"__",
                                                         "import",
                                                         "exec",
                                                         "eval",
                                                         "compile",
                                                         "open",
                                                         "file",
                                                         "input",
                                                         "globals",
                                                         "locals",
                                                         "vars",
                                                         "dir",
                                                         "getattr",
                                                         "setattr",
                                                         "delattr"};
  return lower.find("hasattr") != std::string::npos ||
         std::ranges::any_of(kRefused, [&lower](std::string_view word) {
           return lower.find(word) != std::string::npos;
         });
}

bool is_text_expression(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("'\"()._ ").find(c) != std::string_view::npos;
  };
  return std::ranges::all_of(text, allowed) && !has_refused_word(text) &&
         text.find(".count(") != std::string_view::npos;
}

}  // namespace

std::optional<std::string> calculate(std::string_view expression,
                                     const CalculatorOptions& options) {
  if (expression.size() > kMaxExpressionBytes) return std::nullopt;
  std::string text(expression);
  std::erase(text, ',');
  if (is_arithmetic(text)) {
    if (text.find("**") != std::string::npos) return std::nullopt;
  } else if (!options.texts || !is_text_expression(text)) {
    return std::nullopt;
  }
  const std::optional<PythonNode> tree = parse_python_expression(text);
  if (!tree) return std::nullopt;
  const MaybeValue value = Evaluator().evaluate(*tree);
  if (!value || std::holds_alternative<PythonNone>(*value)) return std::nullopt;
  if (const auto* integer = std::get_if<BigInteger>(&*value)) {
    if (integer->bit_length() > kMaxBits) return std::nullopt;
    std::string digits = integer->to_string();
    const std::size_t num_digits = digits.size() - (integer->is_negative() ? 1 : 0);
    if (num_digits > kMaxResultDigits) return std::nullopt;
    return digits;
  }
  return str_of(*value);
}

}  // namespace quire
