#include "calculator/python_expression.h"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "calculator/python_lexer.h"

namespace quire {
namespace {

constexpr int kMaxBrackets = 200;
constexpr std::size_t kMaxChain = 2980;  // Python gives up a few links later

using Kind = PythonNode::Kind;
using MaybeNode = std::optional<PythonNode>;

// The names that are words of the language and can begin no value here.
bool is_keyword(std::string_view word) {
  constexpr std::array<std::string_view, 32> kKeywords = {
      "and",    "as",   "assert", "async",  "await",  "break",   "class",    "continue",
      "def",    "del",  "elif",   "else",   "except", "finally", "for",      "from",
      "global", "if",   "import", "in",     "is",     "lambda",  "nonlocal", "not",
      "or",     "pass", "raise",  "return", "try",    "while",   "with",     "yield"};
  for (const std::string_view keyword : kKeywords) {
    if (word == keyword) return true;
  }
  return false;
}

class Parser {
 public:
  explicit Parser(std::vector<PythonToken> tokens) : tokens_(std::move(tokens)) {}

  MaybeNode run() {
    MaybeNode node = conditional();
    if (!node || token().kind != PythonToken::Kind::kEnd) return std::nullopt;
    return node;
  }

 private:
  const PythonToken& token() const { return tokens_[at_]; }

  bool take(PythonToken::Kind kind, std::string_view text) {
    if (token().kind != kind || token().text != text) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) { return take(PythonToken::Kind::kWord, word); }
  bool take_symbol(std::string_view symbol) { return take(PythonToken::Kind::kSymbol, symbol); }

  // conditional := or ["if" or "else" conditional]
  MaybeNode conditional() {
    PythonNode chain{.kind = Kind::kConditional};
    while (chain.children.size() < 2 * kMaxChain) {
      MaybeNode value = logical(Kind::kOr);
      if (!value) return std::nullopt;
      chain.children.push_back(*std::move(value));
      if (!take_word("if")) {
        if (chain.children.size() == 1) return std::move(chain.children.front());
        return chain;
      }
      MaybeNode condition = logical(Kind::kOr);
      if (!condition || !take_word("else")) return std::nullopt;
      chain.children.push_back(*std::move(condition));
    }
    return std::nullopt;
  }

  // or := and {"or" and}; and := not {"and" not}
  MaybeNode logical(Kind kind) {
    PythonNode chain{.kind = kind};
    do {
      MaybeNode item = kind == Kind::kOr ? logical(Kind::kAnd) : negation();
      if (!item) return std::nullopt;
      chain.children.push_back(*std::move(item));
    } while (take_word(kind == Kind::kOr ? "or" : "and"));
    if (chain.children.size() == 1) return std::move(chain.children.front());
    return chain;
  }

  // not := {"not"} comparison
  MaybeNode negation() {
    PythonNode node{.kind = Kind::kNot};
    while (take_word("not")) node.operators.emplace_back("not");
    if (node.operators.size() > kMaxChain) return std::nullopt;
    MaybeNode operand = comparison();
    if (!operand || node.operators.empty()) return operand;
    node.children.push_back(*std::move(operand));
    return node;
  }

  // The comparison that stands here, if any: "in", "not in", "is", "is not".
  std::string take_comparison() {
    if (take_word("in")) return "in";
    if (take_word("is")) return take_word("not") ? "is not" : "is";
    if (token().kind == PythonToken::Kind::kWord && token().text == "not" &&
        tokens_[at_ + 1].kind == PythonToken::Kind::kWord && tokens_[at_ + 1].text == "in") {
      at_ += 2;
      return "not in";
    }
    return {};
  }

  // comparison := sum {("in" | "is" | ...) sum}
  MaybeNode comparison() {
    MaybeNode first = sum();
    if (!first) return std::nullopt;
    PythonNode chain{.kind = Kind::kCompare};
    chain.children.push_back(*std::move(first));
    for (std::string op = take_comparison(); !op.empty(); op = take_comparison()) {
      MaybeNode next = sum();
      if (!next) return std::nullopt;
      chain.operators.push_back(std::move(op));
      chain.children.push_back(*std::move(next));
    }
    if (chain.operators.empty()) return std::move(chain.children.front());
    return chain;
  }

  // sum := product {("+" | "-") product}; product := sign {("*" | "/" | "//") sign}
  MaybeNode sum() {
    return arithmetic({"+", "-"},
                      [this] { return arithmetic({"*", "/", "//"}, [this] { return sign(); }); });
  }

  template <typename Operand>
  MaybeNode arithmetic(std::initializer_list<std::string_view> operators, Operand operand) {
    PythonNode chain{.kind = Kind::kArithmetic};
    while (chain.children.size() <= kMaxChain) {
      MaybeNode item = operand();
      if (!item) return std::nullopt;
      chain.children.push_back(*std::move(item));
      bool more = false;
      for (const std::string_view op : operators) {
        if (more || !take_symbol(op)) continue;
        chain.operators.emplace_back(op);
        more = true;
      }
      if (more) continue;
      if (chain.operators.empty()) return std::move(chain.children.front());
      return chain;
    }
    return std::nullopt;
  }

  // sign := {"+" | "-"} trailers
  MaybeNode sign() {
    PythonNode node{.kind = Kind::kSign};
    while (true) {
      if (take_symbol("-")) {
        node.operators.emplace_back("-");
      } else if (take_symbol("+")) {
        node.operators.emplace_back("+");
      } else {
        break;
      }
    }
    if (node.operators.size() > kMaxChain) return std::nullopt;
    MaybeNode operand = trailers();
    if (!operand || node.operators.empty()) return operand;
    node.children.push_back(*std::move(operand));
    return node;
  }

  // trailers := atom {"." name | "(" [conditional] ")"}
  MaybeNode trailers() {
    MaybeNode first = atom();
    if (!first) return std::nullopt;
    PythonNode chain{.kind = Kind::kTrailers};
    chain.children.push_back(*std::move(first));
    while (true) {
      PythonNode trailer;
      if (take_symbol(".")) {
        if (token().kind != PythonToken::Kind::kWord || is_keyword(token().text)) {
          return std::nullopt;
        }
        trailer.kind = Kind::kAttribute;
        trailer.text = token().text;
        ++at_;
      } else if (take_symbol("(")) {
        trailer.kind = Kind::kCall;
        if (!argument(&trailer)) return std::nullopt;
      } else {
        break;
      }
      chain.children.push_back(std::move(trailer));
    }
    if (chain.children.size() == 1) return std::move(chain.children.front());
    if (chain.children.size() > kMaxChain) return std::nullopt;
    return chain;
  }

  // What stands between brackets, the closing one included; nothing at all is fine.
  bool argument(PythonNode* call) {
    if (take_symbol(")")) return true;
    if (++depth_ > kMaxBrackets) return false;
    MaybeNode inner = conditional();
    --depth_;
    if (!inner || !take_symbol(")")) return false;
    call->children.push_back(*std::move(inner));
    return true;
  }

  MaybeNode atom() {
    if (token().kind == PythonToken::Kind::kValue) return constant();
    if (token().kind == PythonToken::Kind::kWord && !is_keyword(token().text)) return name();
    if (!take_symbol("(")) return std::nullopt;
    PythonNode inside;
    if (!argument(&inside)) return std::nullopt;
    if (!inside.children.empty()) return std::move(inside.children.front());
    return PythonNode{.kind = Kind::kConstant,
                      .value = PythonSequence{.items = {}, .is_tuple = true}};
  }

  PythonNode name() {
    const std::string text = token().text;
    ++at_;
    if (text == "None") return {.kind = Kind::kConstant, .value = PythonNone{}};
    if (text == "True") return {.kind = Kind::kConstant, .value = true};
    if (text == "False") return {.kind = Kind::kConstant, .value = false};
    return {.kind = Kind::kName, .text = text};
  }

  // A number, or texts side by side, which are one.
  MaybeNode constant() {
    PythonNode node{.kind = Kind::kConstant, .value = token().value};
    ++at_;
    auto* text = std::get_if<PythonText>(&node.value);
    while (text != nullptr && token().kind == PythonToken::Kind::kValue) {
      const auto* next = std::get_if<PythonText>(&token().value);
      if (next == nullptr || next->is_bytes != text->is_bytes) return std::nullopt;
      text->text += next->text;
      ++at_;
    }
    return node;
  }

  std::vector<PythonToken> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<PythonNode> parse_python_expression(std::string_view text) {
  std::optional<std::vector<PythonToken>> tokens = split_python_tokens(text);
  if (!tokens) return std::nullopt;
  return Parser(*std::move(tokens)).run();
}

}  // namespace quire
