#include "grammar/regex_tree.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace quire::grammar {
namespace {

using Kind = RegexTree::Kind;

CodePointSet single(char32_t c) { return CodePointSet::of(c, c); }

std::optional<char32_t> hex_value(char32_t c) {
  if (c >= U'0' && c <= U'9') return c - U'0';
  if (c >= U'a' && c <= U'f') return c - U'a' + 10;
  if (c >= U'A' && c <= U'F') return c - U'A' + 10;
  return std::nullopt;
}

bool is_letter_or_digit(char32_t c) {
  return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || (c >= U'0' && c <= U'9');
}

class Parser {
 public:
  Parser(std::string_view pattern, const Limits& limits) : limits_(limits) {
    for (std::size_t at = 0; at < pattern.size();) {
      const DecodedCodePoint next = decode_utf8(pattern, at);
      at += next.length;
      text_.push_back(next.code_point);
    }
  }

  Result<RegexTree> run() {
    QUIRE_ASSIGN(RegexTree tree, alternatives(0));
    if (at_ < text_.size()) return wrong("a ) without its (");
    return tree;
  }

 private:
  bool done() const { return at_ >= text_.size(); }
  char32_t peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : U'\0';
  }
  bool take(char32_t c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::u32string_view word) {
    if (std::u32string_view(text_).substr(std::min(at_, text_.size())).starts_with(word)) {
      at_ += word.size();
      return true;
    }
    return false;
  }
  Status wrong(std::string_view what) const {
    return invalid_argument("the pattern has " + std::string(what) + " before character " +
                            std::to_string(at_ + 1));
  }
  Status not_here(std::string_view what) const {
    return invalid_argument("the pattern has " + std::string(what) + " at character " +
                            std::to_string(at_) + ", which is not supported; write it without");
  }

  Result<RegexTree> alternatives(int depth);
  Result<RegexTree> sequence(int depth);
  Result<RegexTree> atom(int depth);
  Result<RegexTree> group(int depth);
  Result<RegexTree> escape();
  Result<CodePointSet> escaped_set(bool in_class);
  Result<char32_t> escaped_character(char32_t c);
  Result<char32_t> hex(int digits);
  Result<CodePointSet> bracket();
  Result<bool> quantifier(RegexTree* atom);
  bool counts(int* min, int* max, bool* too_large);
  std::optional<int> number(bool* too_large);

  const Limits& limits_;
  std::u32string text_;
  std::size_t at_ = 0;
};

Result<RegexTree> Parser::alternatives(int depth) {
  if (depth > limits_.nesting) {
    return invalid_argument("the pattern has groups nested deeper than " +
                            std::to_string(limits_.nesting) + "; make it simpler");
  }
  QUIRE_ASSIGN(RegexTree first, sequence(depth));
  if (done() || peek() != U'|') return first;
  RegexTree tree{.kind = Kind::kAlt};
  tree.children.push_back(std::move(first));
  while (take(U'|')) {
    QUIRE_ASSIGN(RegexTree next, sequence(depth));
    tree.children.push_back(std::move(next));
  }
  return tree;
}

Result<RegexTree> Parser::sequence(int depth) {
  RegexTree tree;
  while (!done() && peek() != U'|' && peek() != U')') {
    QUIRE_ASSIGN(RegexTree next, atom(depth));
    if (next.kind == Kind::kBegin || next.kind == Kind::kEnd) {
      QUIRE_ASSIGN(const bool repeated, quantifier(&next));
      if (repeated) return wrong("a repetition of nothing");
    } else {
      QUIRE_ASSIGN(const bool repeated, quantifier(&next));
      RegexTree ignored;
      if (repeated) {
        QUIRE_ASSIGN(const bool again, quantifier(&ignored));
        if (again) return wrong("a repetition of a repetition");
      }
    }
    tree.children.push_back(std::move(next));
  }
  if (tree.children.size() == 1) {
    RegexTree only = std::move(tree.children.front());
    return only;
  }
  return tree;
}

Result<RegexTree> Parser::atom(int depth) {
  const char32_t c = text_[at_++];
  switch (c) {
    case U'(':
      return group(depth);
    case U'[': {
      QUIRE_ASSIGN(CodePointSet set, bracket());
      return RegexTree{.kind = Kind::kSet, .set = std::move(set)};
    }
    case U'.':
      return RegexTree{.kind = Kind::kSet, .set = single(U'\n').complement()};
    case U'^':
      return RegexTree{.kind = Kind::kBegin};
    case U'$':
      return RegexTree{.kind = Kind::kEnd};
    case U'\\':
      return escape();
    case U'*':
    case U'+':
    case U'?':
      return wrong("a repetition of nothing");
    default:
      break;
  }
  if (c == U'{') {
    --at_;
    int min = 0;
    int max = 0;
    bool too_large = false;
    if (counts(&min, &max, &too_large)) return wrong("a repetition of nothing");
    ++at_;
  }
  return RegexTree{.kind = Kind::kSet, .set = single(c)};
}

Result<RegexTree> Parser::group(int depth) {
  if (take(U'?')) {
    if (take(U"=") || take(U"!") || take(U"<=") || take(U"<!")) return not_here("a lookaround");
    if (take(U">")) return not_here("an atomic group");
    const bool named = take(U"P<") || take(U"<");
    if (!named && !take(U":"))
      return not_here("a group of the form (?" + [this] {
        std::string text;
        append_utf8(peek(), &text);
        return text;
      }() + ")");
    if (named) {
      while (!done() && peek() != U'>') ++at_;
      if (!take(U'>')) return wrong("a name of a group without its >");
    }
  }
  QUIRE_ASSIGN(RegexTree tree, alternatives(depth + 1));
  if (!take(U')')) return wrong("a ( without its )");
  // Anchors alone in a group stay apart from what follows them: ^* is nothing to repeat, (^)* is.
  if (tree.kind == Kind::kBegin || tree.kind == Kind::kEnd) {
    RegexTree wrapped;
    wrapped.children.push_back(std::move(tree));
    return wrapped;
  }
  return tree;
}

Result<char32_t> Parser::hex(int digits) {
  char32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    const auto digit = hex_value(peek());
    if (done() || !digit) return wrong("an escape with too few hexadecimal digits");
    value = value * 16 + *digit;
    ++at_;
  }
  return value;
}

Result<char32_t> Parser::escaped_character(char32_t c) {
  switch (c) {
    case U'n':
      return U'\n';
    case U'r':
      return U'\r';
    case U't':
      return U'\t';
    case U'f':
      return U'\f';
    case U'v':
      return U'\v';
    case U'a':
      return U'\a';
    case U'x':
      return hex(2);
    case U'u': {
      QUIRE_ASSIGN(char32_t value, hex(4));
      const bool high = value >= 0xD800 && value <= 0xDBFF;
      if (high && take(U"\\u")) {
        QUIRE_ASSIGN(const char32_t low, hex(4));
        if (low >= 0xDC00 && low <= 0xDFFF) {
          return 0x10000 + ((value - 0xD800) << 10U) + (low - 0xDC00);
        }
        return wrong("half a surrogate pair");
      }
      if (value >= 0xD800 && value <= 0xDFFF) return wrong("half a surrogate pair");
      return value;
    }
    default:
      break;
  }
  if (c == U'0' && !is_letter_or_digit(peek())) return U'\0';
  if (c >= U'0' && c <= U'9') return not_here("a backreference");
  if (!is_letter_or_digit(c)) return c;
  std::string name = "\\";
  append_utf8(c, &name);
  return not_here("the escape " + name);
}

Result<CodePointSet> Parser::escaped_set(bool in_class) {
  if (done()) return wrong("a \\ at its end");
  const char32_t c = text_[at_++];
  switch (c) {
    case U'd':
      return CodePointSet::digits();
    case U'D':
      return CodePointSet::digits().complement();
    case U'w':
      return CodePointSet::words();
    case U'W':
      return CodePointSet::words().complement();
    case U's':
      return CodePointSet::spaces();
    case U'S':
      return CodePointSet::spaces().complement();
    default:
      break;
  }
  if (in_class && c == U'b') return single(U'\b');
  QUIRE_ASSIGN(const char32_t character, escaped_character(c));
  return single(character);
}

Result<RegexTree> Parser::escape() {
  if (peek() == U'A' || peek() == U'Z') {
    return RegexTree{.kind = text_[at_++] == U'A' ? Kind::kBegin : Kind::kEnd};
  }
  QUIRE_ASSIGN(CodePointSet set, escaped_set(false));
  return RegexTree{.kind = Kind::kSet, .set = std::move(set)};
}

Result<CodePointSet> Parser::bracket() {
  const bool negated = take(U'^');
  std::vector<CodePointSet::Range> ranges;
  bool first = true;
  while (first || peek() != U']' || done()) {
    if (done()) return wrong("a [ without its ]");
    first = false;
    const auto member = [this]() -> Result<CodePointSet> {
      const char32_t c = text_[at_++];
      if (c == U'\\') return escaped_set(true);
      return single(c);
    };
    QUIRE_ASSIGN(CodePointSet low, member());
    const auto is_single = [](const CodePointSet& set) {
      return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].second;
    };
    if (peek() == U'-' && peek(1) != U']' && at_ + 1 < text_.size()) {
      ++at_;
      QUIRE_ASSIGN(const CodePointSet high, member());
      if (!is_single(low) || !is_single(high) || low.ranges()[0].first > high.ranges()[0].first) {
        return wrong("a range of characters that is none");
      }
      low = CodePointSet::of(low.ranges()[0].first, high.ranges()[0].first);
    }
    ranges.insert(ranges.end(), low.ranges().begin(), low.ranges().end());
  }
  ++at_;
  CodePointSet set(std::move(ranges));
  return negated ? set.complement() : set;
}

std::optional<int> Parser::number(bool* too_large) {
  std::optional<int> value;
  while (!done() && peek() >= U'0' && peek() <= U'9') {
    const int digit = static_cast<int>(text_[at_++] - U'0');
    if (value.value_or(0) > (limits_.repeats - digit) / 10) {
      *too_large = true;
      value = limits_.repeats / 10;
    }
    value = value.value_or(0) * 10 + digit;
  }
  return value;
}

// {m} {m,} {,n} {m,n}; anything else is a brace that means itself.
bool Parser::counts(int* min, int* max, bool* too_large) {
  const std::size_t begin = at_;
  ++at_;
  const auto low = number(too_large);
  *min = low.value_or(0);
  *max = *min;
  bool known = low.has_value();
  if (take(U',')) {
    const auto high = number(too_large);
    *max = high.value_or(-1);
    known = known || high.has_value();
  }
  if (known && take(U'}')) return true;
  at_ = begin;
  *too_large = false;
  return false;
}

Result<bool> Parser::quantifier(RegexTree* atom) {
  int min = 0;
  int max = -1;
  bool too_large = false;
  if (take(U'*')) {
  } else if (take(U'+')) {
    min = 1;
  } else if (take(U'?')) {
    max = 1;
  } else if (done() || peek() != U'{' || !counts(&min, &max, &too_large)) {
    return false;
  }
  if (too_large || min > limits_.repeats || max > limits_.repeats) {
    return invalid_argument("the pattern has a repetition over " + std::to_string(limits_.repeats) +
                            "; make it smaller");
  }
  if (max >= 0 && min > max) return wrong("a repetition whose ends are exchanged");
  if (take(U'+')) return not_here("a possessive repetition");
  take(U'?');  // as few as possible: the same texts as a whole
  RegexTree repeat{.kind = Kind::kRepeat, .min = min, .max = max};
  repeat.children.push_back(std::move(*atom));
  *atom = std::move(repeat);
  return true;
}

}  // namespace

Result<RegexTree> parse_regex(std::string_view pattern, const Limits& limits) {
  return Parser(pattern, limits).run();
}

}  // namespace quire::grammar
