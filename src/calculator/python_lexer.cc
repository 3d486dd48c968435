#include "calculator/python_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace quire {
namespace {

constexpr std::size_t kMaxIntegerDigits = 4300;  // Python's sys.int_info.default_max_str_digits

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_digit_of(char c, unsigned base) {
  const char small = lower(c);
  const int digit = is_digit(c) ? c - '0' : small >= 'a' && small <= 'f' ? small - 'a' + 10 : 99;
  return digit < static_cast<int>(base);
}

// A double from the digits of a literal: too large a one is infinite, too small a one zero.
double read_double(const std::string& digits) {
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc::result_out_of_range) return number;
  const std::size_t mark = std::min(digits.find('e'), digits.size());
  const std::size_t point = std::min(digits.find('.'), mark);
  const std::size_t lead = digits.find_first_not_of("0.");
  std::int64_t exponent = 0;  // out of range of this type, it decides alone
  const char* from = digits.data() + std::min(mark + 1, digits.size());
  if (std::from_chars(from, digits.data() + digits.size(), exponent).ec != std::errc() &&
      mark < digits.size()) {
    return std::numeric_limits<double>::infinity();  // a literal's exponent has no sign here
  }
  const auto size = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(lead);
  return size + exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::optional<std::vector<PythonToken>> run() {
    std::vector<PythonToken> tokens;
    while (true) {
      while (at_ < text_.size() && text_[at_] == ' ') ++at_;
      if (at_ == text_.size()) break;
      std::optional<PythonToken> token = next();
      if (!token) return std::nullopt;
      tokens.push_back(*std::move(token));
    }
    tokens.emplace_back();
    return tokens;
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  std::optional<PythonToken> next() {
    const char c = peek();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
    if (c == '\'' || c == '"') return quoted("");
    if (is_letter(c)) return word();
    const std::size_t length = text_.substr(at_).starts_with("//") ? 2 : 1;
    if (std::string_view("()+-*/.").find(c) == std::string_view::npos) return std::nullopt;
    std::string symbol(text_.substr(at_, length));
    at_ += length;
    return PythonToken{.kind = PythonToken::Kind::kSymbol, .text = std::move(symbol), .value = {}};
  }

  std::optional<PythonToken> word() {
    const std::size_t begin = at_;
    while (is_letter(peek()) || is_digit(peek())) ++at_;
    std::string name(text_.substr(begin, at_ - begin));
    if (peek() == '\'' || peek() == '"') {
      std::string prefix = name;
      std::ranges::transform(prefix, prefix.begin(), lower);
      constexpr std::array<std::string_view, 8> kPrefixes = {
          "b", "br", "rb", "f", "fr", "rf", "r", "u"};
      if (std::ranges::find(kPrefixes, prefix) != kPrefixes.end()) return quoted(prefix);
    }
    return PythonToken{.kind = PythonToken::Kind::kWord, .text = std::move(name), .value = {}};
  }

  std::optional<PythonToken> quoted(std::string_view prefix) {
    std::string_view quote = text_.substr(at_, 1);
    if (peek(1) == quote.front() && peek(2) == quote.front()) quote = text_.substr(at_, 3);
    const std::size_t begin = at_ + quote.size();
    const std::size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos) return std::nullopt;
    at_ = end + quote.size();
    PythonText value{.text = std::string(text_.substr(begin, end - begin)),
                     .is_bytes = prefix.find('b') != std::string_view::npos};
    return PythonToken{.kind = PythonToken::Kind::kValue, .text = {}, .value = std::move(value)};
  }

  // Digits with single underscores between them, without the underscores; false when one is
  // elsewhere.
  bool digits(unsigned base, std::string* out) {
    bool after_digit = false;
    while (is_digit_of(peek(), base) || peek() == '_') {
      if (peek() == '_') {
        if (!after_digit || !is_digit_of(peek(1), base)) return false;
        after_digit = false;
      } else {
        out->push_back(peek());
        after_digit = true;
      }
      ++at_;
    }
    return true;
  }

  std::optional<PythonToken> number() {
    const char kind = peek() == '0' ? lower(peek(1)) : '\0';
    if (kind == 'x' || kind == 'o' || kind == 'b') {
      const unsigned base = kind == 'x' ? 16 : kind == 'o' ? 8 : 2;
      at_ += 2;
      if (peek() == '_') ++at_;
      std::string text;
      if (!digits(base, &text) || text.empty()) return std::nullopt;
      return finish_number(BigInteger::from_digits(text, base));
    }
    std::string text;
    if (!digits(10, &text)) return std::nullopt;
    bool is_float = false;
    if (peek() == '.') {
      is_float = true;
      ++at_;
      text.push_back('.');
      if (peek() == '_' || !digits(10, &text)) return std::nullopt;
    }
    if (lower(peek()) == 'e' && is_digit(peek(1))) {
      is_float = true;
      ++at_;
      text.push_back('e');
      if (!digits(10, &text)) return std::nullopt;
    }
    if (is_float) return finish_number(read_double(text));
    const bool leading_zero = text.size() > 1 && text.front() == '0';
    if (leading_zero && text.find_first_not_of('0') != std::string::npos) return std::nullopt;
    if (text.size() > kMaxIntegerDigits) return std::nullopt;
    return finish_number(BigInteger::from_digits(text, 10));
  }

  // A number may touch a keyword that can follow one (1if, 2or), but no other word.
  std::optional<PythonToken> finish_number(PythonValue value) {
    if (is_letter(peek())) {
      constexpr std::array<std::string_view, 8> kWords = {
          "and", "else", "for", "if", "in", "is", "not", "or"};
      const std::string_view rest = text_.substr(at_);
      if (std::ranges::none_of(kWords, [rest](auto word) { return rest.starts_with(word); })) {
        return std::nullopt;
      }
    }
    return PythonToken{.kind = PythonToken::Kind::kValue, .text = {}, .value = std::move(value)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::vector<PythonToken>> split_python_tokens(std::string_view text) {
  return Lexer(text).run();
}

}  // namespace quire
