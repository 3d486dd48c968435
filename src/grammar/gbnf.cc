#include "grammar/gbnf.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace quire::grammar {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Parser {
 public:
  Parser(std::string_view text, Grammar* grammar) : text_(text), grammar_(grammar) {}
  Result<ExprId> run();

 private:
  struct Rule {
    RuleId id;
    bool defined = false;
    std::size_t line = 0;  // where it is first named
  };
  bool done() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::size_t line() const {
    std::size_t lines = 1;
    for (const char c : text_.substr(0, at_)) lines += c == '\n' ? 1 : 0;
    return lines;
  }
  Status expected(std::string_view what) const {
    return invalid_argument("the grammar, line " + std::to_string(line()) + ": expected " +
                            std::string(what));
  }
  void skip_space(bool newlines);
  std::string word();
  Rule& rule_named(const std::string& name);
  Status definition();
  Result<ExprId> alternatives(int depth);
  Result<ExprId> sequence(int depth);
  Result<std::optional<ExprId>> item(int depth);
  Result<ExprId> literal();
  Result<ExprId> bracket();
  Result<ExprId> token();
  Result<ExprId> repetition(ExprId atom);
  Result<int> count();
  Result<char32_t> character();
  Result<char32_t> hex(int digits);

  std::string_view text_;
  Grammar* grammar_;
  std::size_t at_ = 0;
  std::map<std::string, Rule> rules_;
};

// In a group rules go on over line ends; outside a line end ends a rule, unless the next line
// cannot begin one.
void Parser::skip_space(bool newlines) {
  while (!done()) {
    const char c = peek();
    if (c == '#') {
      while (!done() && peek() != '\n' && peek() != '\r') ++at_;
    } else if (c == ' ' || c == '\t' || (newlines && (c == '\n' || c == '\r'))) {
      ++at_;
    } else {
      return;
    }
  }
}

std::string Parser::word() {
  const std::size_t begin = at_;
  while (!done() && is_word(peek())) ++at_;
  return std::string(text_.substr(begin, at_ - begin));
}

Parser::Rule& Parser::rule_named(const std::string& name) {
  const auto [found, added] = rules_.try_emplace(name, Rule{.id = 0, .line = 0});
  if (added) found->second = {.id = grammar_->add_rule(name), .line = line()};
  return found->second;
}

Status Parser::definition() {
  const std::string name = word();
  if (name.empty()) return expected("the name of a rule");
  skip_space(false);
  if (!take("::=")) return expected("::= after " + name.substr(0, 60));
  Rule& rule = rule_named(name);
  // As in llama.cpp the last definition of a rule would silently win; here a second is a mistake.
  if (rule.defined) return expected("one definition of " + name.substr(0, 60) + " only");
  rule.defined = true;
  const RuleId id = rule.id;
  skip_space(true);
  QUIRE_ASSIGN(const ExprId body, alternatives(0));
  grammar_->set_body(id, body);
  if (!done() && peek() != '\n' && peek() != '\r') return expected("the end of the rule");
  skip_space(true);
  return ok_status();
}

Result<ExprId> Parser::alternatives(int depth) {
  if (depth > grammar_->limits().nesting) {
    return expected("groups nested at most " + std::to_string(grammar_->limits().nesting) +
                    " deep");
  }
  std::vector<ExprId> ways;
  do {
    skip_space(true);
    QUIRE_ASSIGN(const ExprId way, sequence(depth));
    ways.push_back(way);
    // An alternative may stand on a line of its own.
    const std::size_t before = at_;
    skip_space(true);
    if (peek() != '|' && depth == 0) at_ = before;
  } while (take("|"));
  return grammar_->alt(std::move(ways));
}

Result<ExprId> Parser::sequence(int depth) {
  std::vector<ExprId> parts;
  while (true) {
    skip_space(depth > 0);
    QUIRE_ASSIGN(const std::optional<ExprId> atom, item(depth));
    if (!atom) return grammar_->concat(std::move(parts));
    ExprId repeated = *atom;
    while (true) {
      skip_space(depth > 0);
      const char c = peek();
      if (c != '*' && c != '+' && c != '?' && c != '{') break;
      QUIRE_ASSIGN(repeated, repetition(repeated));
    }
    parts.push_back(repeated);
  }
}

Result<std::optional<ExprId>> Parser::item(int depth) {
  const auto some = [](Result<ExprId> id) -> Result<std::optional<ExprId>> {
    if (!id) return id.error();
    return std::optional<ExprId>(*id);
  };
  const char c = peek();
  if (c == '"') return some(literal());
  if (c == '[') return some(bracket());
  if (c == '<') return some(token());
  if (take(".")) return some(grammar_->one_of(CodePointSet::any()));
  if (take("(")) {
    QUIRE_ASSIGN(const ExprId group, alternatives(depth + 1));
    skip_space(true);
    if (!take(")")) return expected("a )");
    return std::optional<ExprId>(group);
  }
  if (!is_word(c)) return std::optional<ExprId>();
  return std::optional<ExprId>(grammar_->rule(rule_named(word()).id));
}

Result<int> Parser::count() {
  if (!is_digit(peek())) return expected("a number in { }");
  int value = 0;
  while (is_digit(peek())) {
    const int digit = text_[at_++] - '0';
    if (value > (grammar_->limits().repeats - digit) / 10) {
      return expected("a repetition of at most " + std::to_string(grammar_->limits().repeats));
    }
    value = value * 10 + digit;
  }
  return value;
}

Result<ExprId> Parser::repetition(ExprId atom) {
  if (take("*")) return grammar_->repeat(atom, 0, -1);
  if (take("+")) return grammar_->repeat(atom, 1, -1);
  if (take("?")) return grammar_->repeat(atom, 0, 1);
  ++at_;  // {
  skip_space(true);
  QUIRE_ASSIGN(const int min, count());
  int max = min;
  skip_space(true);
  if (take(",")) {
    max = -1;
    skip_space(true);
    if (is_digit(peek())) {
      QUIRE_ASSIGN(max, count());
    }
  }
  skip_space(true);
  if (!take("}")) return expected("a }");
  if (max >= 0 && min > max) return expected("a repetition {m,n} with m at most n");
  return grammar_->repeat(atom, min, max);
}

Result<char32_t> Parser::hex(int digits) {
  char32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    const int digit = hex_value(peek());
    if (digit < 0) return expected(std::to_string(digits) + " hexadecimal digits");
    value = value * 16 + static_cast<char32_t>(digit);
    ++at_;
  }
  if (value > CodePointSet::kLast || (value >= 0xD800 && value <= 0xDFFF)) {
    return expected("a code point of Unicode");
  }
  return value;
}

Result<char32_t> Parser::character() {
  if (!take("\\")) {
    const DecodedCodePoint next = decode_utf8(text_, at_);
    at_ += next.length;
    return next.code_point;
  }
  const char c = peek();
  ++at_;
  switch (c) {
    case 'x':
      return hex(2);
    case 'u':
      return hex(4);
    case 'U':
      return hex(8);
    case 't':
      return U'\t';
    case 'r':
      return U'\r';
    case 'n':
      return U'\n';
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-':
    case '^':
      return static_cast<char32_t>(c);
    default:
      --at_;
      return expected("an escape: \\n \\r \\t \\\\ \\\" \\[ \\] \\xHH \\uHHHH or \\UHHHHHHHH");
  }
}

Result<ExprId> Parser::literal() {
  ++at_;
  std::string bytes;
  while (peek() != '"') {
    if (done()) return expected("a \" at the end of a text");
    QUIRE_ASSIGN(const char32_t c, character());
    append_utf8(c, &bytes);
  }
  ++at_;
  return grammar_->bytes(std::move(bytes));
}

Result<ExprId> Parser::bracket() {
  ++at_;
  const bool negated = take("^");
  std::vector<CodePointSet::Range> ranges;
  while (peek() != ']') {
    if (done()) return expected("a ]");
    QUIRE_ASSIGN(const char32_t low, character());
    char32_t high = low;
    if (peek() == '-' && peek(1) != ']') {
      ++at_;
      if (done()) return expected("a ]");
      QUIRE_ASSIGN(high, character());
      if (low > high) return expected("a range of characters in ascending order");
    }
    ranges.emplace_back(low, high);
  }
  ++at_;
  const CodePointSet set(std::move(ranges));
  return grammar_->one_of(negated ? set.complement() : set);
}

// <[id]>: a token by its number.
Result<ExprId> Parser::token() {
  if (!take("<[")) return expected("a token written as <[id]>");
  QUIRE_ASSIGN(const int id, count());
  if (!take("]>")) return expected("a token written as <[id]>");
  return grammar_->token(id);
}

Result<ExprId> Parser::run() {
  skip_space(true);
  while (!done()) QUIRE_TRY(definition());
  for (const auto& [name, rule] : rules_) {
    if (rule.defined) continue;
    return invalid_argument("the grammar, line " + std::to_string(rule.line) + ": the rule " +
                            name.substr(0, 60) + " is not defined");
  }
  const auto root = rules_.find("root");
  if (root == rules_.end()) return invalid_argument("the grammar has no rule named root");
  return grammar_->rule(root->second.id);
}

}  // namespace

Result<ExprId> gbnf_expression(std::string_view text, Grammar* grammar) {
  return Parser(text, grammar).run();
}

}  // namespace quire::grammar
