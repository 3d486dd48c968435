#include "chat/lexer.h"

#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/text.h"

namespace quire::chat {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::size_t kMaxDigits = 4300;  // of an integer, as many as Python reads

// Line breaks become "\n" and one at the very end of the template does not count.
std::string normalize_line_breaks(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

bool is_space_at(std::string_view text, std::size_t at, std::size_t* length) {
  const DecodedCodePoint decoded = decode_utf8(text, at);
  *length = decoded.length;
  return is_python_space(decoded.code_point);
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Token>> run();

 private:
  enum class Tag { kOutput, kBlock, kComment };

  Status read_text();
  Status read_tag(Tag tag);
  Status read_expression(std::string_view end_mark, Token::Kind end_kind);
  Status read_comment();
  Status read_raw(std::size_t end_of_begin_tag);
  Status read_token();
  Status read_string();
  Status read_number();
  [[nodiscard]] int literal_base() const;
  Status read_based_number(int base);
  Status read_operator();
  Result<std::string> unescape(std::string_view body) const;
  Status close_tag(bool strip, bool trim_line_break);

  // Length of "{%- raw -%}" or its endraw at `at`, 0 when it is something else.
  std::size_t raw_tag_length(std::size_t at, std::string_view name, bool* strip_after) const;
  void push(Token::Kind kind, std::string text);
  void push_text(std::string_view text, char sign, bool may_lstrip);
  void skip_spaces();
  void advance(std::size_t count);
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  [[nodiscard]] bool looking_at(std::string_view text) const {
    return std::string_view(source_).substr(at_, text.size()) == text;
  }
  Status fail(const std::string& why) const {
    return bad_model("chat template line " + std::to_string(line_) + ": " + why);
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;  // whether the text from at_ on begins a line
  std::string open_brackets_;
  std::vector<Token> tokens_;
};

void Lexer::advance(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) line_ += source_[at_ + i] == '\n';
  at_ += count;
}

void Lexer::push(Token::Kind kind, std::string text) {
  Token token;
  token.kind = kind;
  token.text = std::move(text);
  token.line = line_;
  tokens_.push_back(std::move(token));
}

// Text before a tag: "-" strips all whitespace at its end; otherwise what stands between the start
// of the line and a tag that prints nothing is dropped when it is only whitespace.
void Lexer::push_text(std::string_view text, char sign, bool may_lstrip) {
  if (sign == '-') {
    const Text stripped = strip(Text(text, true), Side::kRight, std::nullopt);
    text = text.substr(0, stripped.size());
  } else if (sign != '+' && may_lstrip) {
    const std::size_t line = text.rfind('\n');
    const std::size_t start = line == kNone ? 0 : line + 1;
    if (start > 0 || at_line_start_) {
      const Text rest = strip(Text(text.substr(start), true), Side::kBoth, std::nullopt);
      if (rest.empty()) text = text.substr(0, start);
    }
  }
  if (!text.empty()) push(Token::Kind::kText, std::string(text));
}

void Lexer::skip_spaces() {
  std::size_t length = 0;
  while (at_ < source_.size() && is_space_at(source_, at_, &length)) advance(length);
}

Result<std::vector<Token>> Lexer::run() {
  while (at_ < source_.size()) QUIRE_TRY(read_text());
  push(Token::Kind::kEnd, "");
  return std::move(tokens_);
}

// Text up to the next tag, and the tag.
Status Lexer::read_text() {
  std::size_t tag = at_;
  do {
    tag = source_.find('{', tag);
    if (tag == kNone) break;
    const char next = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
    if (next == '{' || next == '%' || next == '#') break;
    ++tag;
  } while (true);
  if (tag == kNone) {
    push_text(std::string_view(source_).substr(at_), '+', false);
    advance(source_.size() - at_);
    return ok_status();
  }
  const char kind = source_[tag + 1];
  const char after = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
  const char sign = after == '-' || after == '+' ? after : ' ';
  // In front of {{ a plus is the sign of a number.
  const bool has_sign = sign == '-' || (sign == '+' && kind != '{');
  push_text(std::string_view(source_).substr(at_, tag - at_), sign, kind != '{');
  advance(tag - at_);
  bool strip_after = false;
  if (kind == '%') {
    const std::size_t raw = raw_tag_length(at_, "raw", &strip_after);
    if (raw > 0) {
      advance(raw);
      if (strip_after) skip_spaces();
      return read_raw(at_);
    }
  }
  advance(has_sign ? 3 : 2);
  if (kind == '#') return read_comment();
  return read_tag(kind == '{' ? Tag::kOutput : Tag::kBlock);
}

// What follows a tag: "-" strips all whitespace, else a block takes one line break along.
Status Lexer::close_tag(bool strip, bool trim_line_break) {
  if (strip) {
    skip_spaces();
  } else if (trim_line_break && peek() == '\n') {
    advance(1);
  }
  at_line_start_ = source_[at_ - 1] == '\n';
  return ok_status();
}

Status Lexer::read_comment() {
  const std::size_t end = source_.find("#}", at_);
  if (end == kNone) return fail("a comment does not end");
  const char before = end > at_ ? source_[end - 1] : ' ';
  advance(end + 2 - at_);
  return close_tag(before == '-', before != '+');
}

std::size_t Lexer::raw_tag_length(std::size_t at, std::string_view name, bool* strip_after) const {
  const std::string_view source = source_;
  if (source.substr(at, 2) != "{%") return 0;
  std::size_t place = at + 2;
  std::size_t length = 0;
  if (place < source.size() && (source[place] == '-' || source[place] == '+')) ++place;
  while (place < source.size() && is_space_at(source, place, &length)) place += length;
  if (source.substr(place, name.size()) != name) return 0;
  place += name.size();
  while (place < source.size() && is_space_at(source, place, &length)) place += length;
  *strip_after = place < source.size() && source[place] == '-';
  const bool keeps = name == "endraw" && place < source.size() && source[place] == '+';
  if (*strip_after || keeps) ++place;
  if (source.substr(place, 2) != "%}") return 0;
  return place + 2 - at;
}

Status Lexer::read_raw(std::size_t end_of_begin_tag) {
  std::size_t tag = end_of_begin_tag;
  bool strip_after = false;
  std::size_t length = 0;
  while (true) {
    tag = source_.find("{%", tag);
    if (tag == kNone) return fail("a raw block does not end");
    length = raw_tag_length(tag, "endraw", &strip_after);
    if (length > 0) break;
    ++tag;
  }
  const char sign = source_[tag + 2];
  at_line_start_ = source_[at_ - 1] == '\n';
  push_text(std::string_view(source_).substr(at_, tag - at_), sign, true);
  const bool keeps_line = source_[tag + length - 3] == '+';
  advance(tag + length - at_);
  return close_tag(strip_after, !keeps_line);
}

Status Lexer::read_tag(Tag tag) {
  const bool is_output = tag == Tag::kOutput;
  push(is_output ? Token::Kind::kOutputBegin : Token::Kind::kBlockBegin, "");
  return read_expression(is_output ? "}}" : "%}",
                         is_output ? Token::Kind::kOutputEnd : Token::Kind::kBlockEnd);
}

// Tokens up to the end mark. Inside brackets "}}" is two brackets and not the end.
Status Lexer::read_expression(std::string_view end_mark, Token::Kind end_kind) {
  open_brackets_.clear();
  while (true) {
    skip_spaces();
    if (at_ >= source_.size()) return fail("a tag does not end");
    if (open_brackets_.empty()) {
      const bool is_block = end_kind == Token::Kind::kBlockEnd;
      const bool has_sign = peek() == '-' || (peek() == '+' && is_block);
      const std::size_t sign = has_sign ? 1 : 0;
      if (std::string_view(source_).substr(at_ + sign, 2) == end_mark) {
        const char mark = peek();
        push(end_kind, "");
        advance(sign + 2);
        return close_tag(mark == '-', is_block && mark != '+');
      }
    }
    QUIRE_TRY(read_token());
  }
}

Status Lexer::read_token() {
  const char c = peek();
  if (c == '"' || c == '\'') return read_string();
  if (is_digit(c)) return read_number();
  if (!is_name_start(c)) return read_operator();
  std::size_t length = 1;
  while (is_name_part(peek(length))) ++length;
  push(Token::Kind::kName, source_.substr(at_, length));
  advance(length);
  return ok_status();
}

Status Lexer::read_operator() {
  constexpr std::array<std::string_view, 25> kOperators = {
      "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
      "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ","};
  for (const std::string_view op : kOperators) {
    if (!looking_at(op)) continue;
    const char c = op.front();
    if (c == '(' || c == '[' || c == '{') {
      open_brackets_ += c == '(' ? ')' : (c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (open_brackets_.empty() || open_brackets_.back() != c) {
        return fail(std::string("unexpected '") + c + "'");
      }
      open_brackets_.pop_back();
    }
    push(Token::Kind::kOperator, std::string(op));
    advance(op.size());
    return ok_status();
  }
  return fail("a character that means nothing in a tag");
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const int lower = std::tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The base of a number such as 0x1f; 10 of all others.
int Lexer::literal_base() const {
  if (peek() != '0') return 10;
  const char mark = static_cast<char>(std::tolower(static_cast<unsigned char>(peek(1))));
  const int base = mark == 'x' ? 16 : (mark == 'o' ? 8 : (mark == 'b' ? 2 : 10));
  const int digit = hex_value(peek(peek(2) == '_' ? 3 : 2));
  return digit >= 0 && digit < base ? base : 10;
}

Status Lexer::read_based_number(int base) {
  std::size_t length = 2;
  std::uint64_t number = 0;
  while (true) {
    const std::size_t skip = peek(length) == '_' ? 1 : 0;
    const int digit = hex_value(peek(length + skip));
    if (digit < 0 || digit >= base) break;
    if (number >> 59U != 0) return fail("a number is too large");
    number = number * static_cast<unsigned>(base) + static_cast<unsigned>(digit);
    length += skip + 1;
  }
  push(Token::Kind::kInteger, std::to_string(number));
  advance(length);
  return ok_status();
}

// 1_000, 1.5, 1e-3. A dot must have digits on both sides: 1.x is an attribute.
Status Lexer::read_number() {
  std::string digits;
  std::size_t length = 0;
  if (const int base = literal_base(); base != 10) return read_based_number(base);
  const auto take_digits = [&] {
    while (is_digit(peek(length)) || (peek(length) == '_' && is_digit(peek(length + 1)))) {
      if (peek(length) != '_') digits += peek(length);
      ++length;
    }
  };
  take_digits();
  bool is_real = false;
  if (peek(length) == '.' && is_digit(peek(length + 1))) {
    is_real = true;
    digits += peek(length++);
    take_digits();
  }
  const char e = peek(length);
  const std::size_t sign = peek(length + 1) == '+' || peek(length + 1) == '-' ? 1 : 0;
  if ((e == 'e' || e == 'E') && is_digit(peek(length + 1 + sign))) {
    is_real = true;
    digits += 'e';
    if (sign == 1) digits += peek(length + 1);
    length += 1 + sign;
    take_digits();
  }
  Token token;
  token.line = line_;
  token.text = digits;
  token.kind = is_real ? Token::Kind::kFloat : Token::Kind::kInteger;
  if (is_real) {
    token.real = std::strtod(digits.c_str(), nullptr);
  } else if (digits.size() > kMaxDigits) {
    return fail("the number " + digits.substr(0, 40) + "... is too large");
  }
  tokens_.push_back(std::move(token));
  advance(length);
  return ok_status();
}

Status Lexer::read_string() {
  const char quote = peek();
  std::size_t length = 1;
  while (at_ + length < source_.size() && peek(length) != quote) {
    length += peek(length) == '\\' ? 2U : 1U;
  }
  if (at_ + length >= source_.size()) return fail("a string does not end");
  QUIRE_ASSIGN(std::string text, unescape(std::string_view(source_).substr(at_ + 1, length - 1)));
  push(Token::Kind::kString, std::move(text));
  advance(length + 1);
  return ok_status();
}

// Python's escapes; one that is not known keeps its backslash.
Result<std::string> Lexer::unescape(std::string_view body) const {
  constexpr std::string_view kSimple = "abfnrtv\\'\"";
  constexpr std::string_view kMeaning = "\a\b\f\n\r\t\v\\'\"";
  std::string out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\' || i + 1 == body.size()) {
      out += body[i];
      continue;
    }
    const char kind = body[++i];
    const std::size_t simple = kSimple.find(kind);
    const std::size_t digits = kind == 'x' ? 2U : (kind == 'u' ? 4U : (kind == 'U' ? 8U : 0U));
    if (simple != kNone) {
      out += kMeaning[simple];
    } else if (kind == '\n') {
      continue;
    } else if (digits > 0 || (kind >= '0' && kind <= '7')) {
      char32_t code_point = 0;
      const bool octal = digits == 0;
      std::size_t taken = 0;
      std::size_t place = octal ? i : i + 1;
      const std::size_t wanted = octal ? 3 : digits;
      while (taken < wanted && place < body.size()) {
        const int value = hex_value(body[place]);
        if (value < 0 || (octal && value > 7)) break;
        code_point = code_point * (octal ? 8U : 16U) + static_cast<char32_t>(value);
        ++place;
        ++taken;
      }
      const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
      if ((!octal && taken < digits) || code_point > 0x10FFFF || is_surrogate) {
        return fail("a string has an escape that is no character");
      }
      append_utf8(code_point, &out);
      i = place - 1;
    } else {
      out += '\\';
      out += kind;
    }
  }
  return out;
}

}  // namespace

Result<std::vector<Token>> tokenize_template(std::string_view source) {
  if (find_invalid_utf8(source) != kNone) return bad_model("the chat template is not UTF-8");
  return Lexer(normalize_line_breaks(source)).run();
}

}  // namespace quire::chat
