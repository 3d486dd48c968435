#include "tokenizer/split_pattern.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

// Every function here takes the text and a place in it and returns the end of the match, or the
// place itself when nothing matches. None looks at a character more than a fixed number of times
// beyond those it consumes, except where a comment says why the total stays linear.

struct NamedPattern {
  std::string_view regex;
  SplitPattern pattern;
};

constexpr std::array<NamedPattern, 16> kPatterns = {{
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
     SplitPattern::kGpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::kLlama3},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*)"
     R"(|\s*[\r\n]|\s+(?!\S)|\s+)",
     SplitPattern::kCl100k},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::kQwen2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
     R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::kQwen35},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*)"
     R"(|\s*[\r\n]|\s+(?!\S)|\s+)",
     SplitPattern::kNanochat},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::kO200k},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::kTekken},
    {R"(\p{N}{1,3})", SplitPattern::kDeepSeekNumbers},
    {"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", SplitPattern::kDeepSeekCjk},
    {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
     R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitPattern::kDeepSeekWords},
    {R"([\r\n])", SplitPattern::kDeepSeekCoderLines},
    {R"(\s?\p{L}+)", SplitPattern::kDeepSeekCoderLetters},
    {R"(\s?\p{P}+)", SplitPattern::kDeepSeekCoderPunctuation},
    {"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", SplitPattern::kDeepSeekCoderCjk},
    {"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7a3]+", SplitPattern::kDeepSeekCoderCjk},
}};

bool is_line_break(const ClassedChar& c) { return c.code_point == '\r' || c.code_point == '\n'; }

std::size_t run_of(std::string_view text, std::size_t at, std::uint32_t classes) {
  for (ClassedChar c = classed_char_at(text, at); c.is(classes); c = classed_char_at(text, at)) {
    at += c.length;
  }
  return at;
}

std::size_t run_of_at_most(std::string_view text, std::size_t at, std::uint32_t classes, int most) {
  for (int i = 0; i < most; ++i) {
    const ClassedChar c = classed_char_at(text, at);
    if (!c.is(classes)) break;
    at += c.length;
  }
  return at;
}

std::size_t run_without(std::string_view text, std::size_t at, std::uint32_t classes) {
  ClassedChar c = classed_char_at(text, at);
  while (c.length > 0 && !c.is(classes)) {
    at += c.length;
    c = classed_char_at(text, at);
  }
  return at;
}

std::size_t run_of_bytes(std::string_view text, std::size_t at, std::string_view bytes) {
  while (at < text.size() && bytes.find(text[at]) != std::string_view::npos) ++at;
  return at;
}

// A letter of an English contraction. Ignoring case, the regex engines also take U+017F for an s.
char folded(const ClassedChar& c) {
  if (c.code_point == 0x17F) return 's';
  if (c.code_point >= 'A' && c.code_point <= 'Z') return static_cast<char>(c.code_point | 0x20U);
  return c.code_point < 0x80 ? static_cast<char>(c.code_point) : '\0';
}

std::size_t contraction(std::string_view text, std::size_t at, bool ignore_case) {
  if (at >= text.size() || text[at] != '\'') return at;
  const ClassedChar first = classed_char_at(text, at + 1);
  const std::size_t after_first = at + 1 + first.length;
  const ClassedChar second = classed_char_at(text, after_first);
  const auto letter = [ignore_case](const ClassedChar& c) {
    const bool ascii = c.code_point < 0x80;
    return ignore_case ? folded(c) : (ascii ? static_cast<char>(c.code_point) : '\0');
  };
  const char one = letter(first);
  if (one == 's' || one == 't' || one == 'm' || one == 'd') return after_first;
  const char two = letter(second);
  const bool matches = ((one == 'r' || one == 'v') && two == 'e') || (one == 'l' && two == 'l');
  return matches ? after_first + second.length : at;
}

// One optional space, then at least one character outside `classes`.
std::size_t spaced_run_without(std::string_view text, std::size_t at, std::uint32_t classes) {
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  const std::size_t end = run_without(text, start, classes);
  return end > start ? end : at;
}

std::size_t spaced_run_of(std::string_view text, std::size_t at, std::uint32_t classes) {
  const std::size_t start = text[at] == ' ' ? at + 1 : at;
  const std::size_t end = run_of(text, start, classes);
  return end > start ? end : at;
}

// [^\r\n<excluded>]?[<wanted>]+ : one character may stand before the run.
std::size_t led_run(std::string_view text,
                    std::size_t at,
                    std::uint32_t excluded,
                    std::uint32_t wanted) {
  const ClassedChar lead = classed_char_at(text, at);
  if (!is_line_break(lead) && !lead.is(excluded)) {
    const std::size_t end = run_of(text, at + lead.length, wanted);
    if (end > at + lead.length) return end;
  }
  return run_of(text, at, wanted);
}

// \s+(?!\S)|\s+ : a run of whitespace leaves its last character to the word that follows.
std::size_t trailing_whitespace(std::string_view text, std::size_t at) {
  const std::size_t end = run_of(text, at, kClassSpace);
  if (end == at || end == text.size()) return end;
  const std::size_t shorter = end - classed_char_before(text, end).length;
  return shorter > at ? shorter : end;
}

// \s*[\r\n]+ (or one [\r\n], which ends at the same place): whitespace up to the last line break of
// the run. The rest of the run is looked at once more, by trailing_whitespace.
std::size_t whitespace_to_line_break(std::string_view text, std::size_t at) {
  std::size_t end = at;
  for (ClassedChar c = classed_char_at(text, at); c.is(kClassSpace);
       c = classed_char_at(text, at)) {
    at += c.length;
    if (is_line_break(c)) end = at;
  }
  return end;
}

std::size_t whitespace(std::string_view text, std::size_t at) {
  const std::size_t end = whitespace_to_line_break(text, at);
  return end > at ? end : trailing_whitespace(text, at);
}

std::size_t match_gpt2(std::string_view text, std::size_t at) {
  if (const std::size_t end = contraction(text, at, false); end > at) return end;
  if (const std::size_t end = spaced_run_of(text, at, kClassLetter); end > at) return end;
  if (const std::size_t end = spaced_run_of(text, at, kClassNumber); end > at) return end;
  constexpr std::uint32_t kNotOther = kClassSpace | kClassLetter | kClassNumber;
  if (const std::size_t end = spaced_run_without(text, at, kNotOther); end > at) return end;
  return trailing_whitespace(text, at);
}

// What is not a word is split alike by the cl100k family and o200k.
std::size_t match_after_words(std::string_view text,
                              std::size_t at,
                              int digits,
                              std::string_view tail,
                              std::uint32_t word = kClassLetter) {
  if (const std::size_t end = run_of_at_most(text, at, kClassNumber, digits); end > at) return end;
  const std::uint32_t not_other = kClassSpace | kClassNumber | word;
  if (const std::size_t end = spaced_run_without(text, at, not_other); end > at) {
    return run_of_bytes(text, end, tail);
  }
  return whitespace(text, at);
}

std::size_t match_cl100k_family(std::string_view text,
                                std::size_t at,
                                int digits,
                                std::uint32_t word = kClassLetter) {
  if (const std::size_t end = contraction(text, at, true); end > at) return end;
  constexpr std::uint32_t kNotLead = kClassLetter | kClassNumber;
  if (const std::size_t end = led_run(text, at, kNotLead, word); end > at) return end;
  return match_after_words(text, at, digits, "\r\n", word);
}

constexpr std::uint32_t kCaseless = kClassOtherLetter | kClassMark;
constexpr std::uint32_t kO200kUpper = kClassUpper | kCaseless;
constexpr std::uint32_t kO200kLower = kClassLower | kCaseless;

// [upper]*[lower]+ with the backtracking of the greedy [upper]*: when no lower-case letter follows
// the upper-case run, the last caseless character of that run serves as the [lower]+. What was
// scanned past it is upper case only and is consumed whole by the next match, so the total stays
// linear.
std::size_t o200k_lower_word(std::string_view text, std::size_t at) {
  std::size_t end_of_caseless = at;
  std::size_t end = at;
  for (ClassedChar c = classed_char_at(text, end); c.is(kO200kUpper);
       c = classed_char_at(text, end)) {
    end += c.length;
    if (c.is(kCaseless)) end_of_caseless = end;
  }
  const std::size_t end_of_lower = run_of(text, end, kO200kLower);
  return end_of_lower > end ? end_of_lower : end_of_caseless;
}

// [upper]+[lower]*
std::size_t o200k_upper_word(std::string_view text, std::size_t at) {
  const std::size_t end = run_of(text, at, kO200kUpper);
  return end > at ? run_of(text, end, kO200kLower) : at;
}

std::size_t match_o200k_family(std::string_view text,
                               std::size_t at,
                               int digits,
                               bool contractions) {
  const auto with_contraction = [&](std::size_t end) {
    return contractions ? contraction(text, end, true) : end;
  };
  const ClassedChar lead = classed_char_at(text, at);
  const bool may_lead = !is_line_break(lead) && !lead.is(kClassLetter | kClassNumber);
  for (const auto word : {o200k_lower_word, o200k_upper_word}) {
    if (may_lead) {
      const std::size_t start = at + lead.length;
      const std::size_t end = word(text, start);
      if (end > start) return with_contraction(end);
    }
    const std::size_t end = word(text, at);
    if (end > at) return with_contraction(end);
  }
  return match_after_words(text, at, digits, "\r\n/");
}

bool is_ascii_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool is_ascii_punctuation(char c) {
  return c > ' ' && c < 0x7F && !is_ascii_letter(c) && !(c >= '0' && c <= '9');
}

std::size_t match_deepseek_words(std::string_view text, std::size_t at) {
  if (is_ascii_punctuation(text[at])) {
    std::size_t end = at + 1;
    while (end < text.size() && is_ascii_letter(text[end])) ++end;
    if (end > at + 1) return end;
  }
  constexpr std::uint32_t kNotLead = kClassLetter | kClassPunctuation | kClassSymbol;
  constexpr std::uint32_t kWord = kClassLetter | kClassMark;
  if (const std::size_t end = led_run(text, at, kNotLead, kWord); end > at) return end;
  constexpr std::uint32_t kOther = kClassPunctuation | kClassSymbol;
  if (const std::size_t end = spaced_run_of(text, at, kOther); end > at) {
    return run_of_bytes(text, end, "\r\n");
  }
  return whitespace(text, at);
}

bool is_deepseek_cjk(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF);
}

bool is_deepseek_coder_cjk(char32_t c) {
  return (c >= 0x800 && c <= 0x9FA5) || (c >= 0xAC00 && c <= 0xD7FF);
}

std::size_t run_where(std::string_view text, std::size_t at, bool (*wanted)(char32_t)) {
  for (ClassedChar c = classed_char_at(text, at); c.length > 0 && wanted(c.code_point);
       c = classed_char_at(text, at)) {
    at += c.length;
  }
  return at;
}

// \s?[<wanted>]+
std::size_t whitespace_led_run(std::string_view text, std::size_t at, std::uint32_t wanted) {
  const ClassedChar lead = classed_char_at(text, at);
  const std::size_t start = lead.is(kClassSpace) ? at + lead.length : at;
  const std::size_t end = run_of(text, start, wanted);
  return end > start ? end : at;
}

std::size_t match_end(SplitPattern pattern, std::string_view text, std::size_t at) {
  switch (pattern) {
    case SplitPattern::kGpt2:
      return match_gpt2(text, at);
    case SplitPattern::kLlama3:
    case SplitPattern::kCl100k:
      return match_cl100k_family(text, at, 3);
    case SplitPattern::kQwen2:
      return match_cl100k_family(text, at, 1);
    case SplitPattern::kQwen35:
      return match_cl100k_family(text, at, 1, kClassLetter | kClassMark);
    case SplitPattern::kNanochat:
      return match_cl100k_family(text, at, 2);
    case SplitPattern::kO200k:
      return match_o200k_family(text, at, 3, true);
    case SplitPattern::kTekken:
      return match_o200k_family(text, at, 1, false);
    case SplitPattern::kDeepSeekNumbers:
      return run_of_at_most(text, at, kClassNumber, 3);
    case SplitPattern::kDeepSeekCjk:
      return run_where(text, at, is_deepseek_cjk);
    case SplitPattern::kDeepSeekWords:
      return match_deepseek_words(text, at);
    case SplitPattern::kDeepSeekCoderLines:
      return at + (text[at] == '\r' || text[at] == '\n');
    case SplitPattern::kDeepSeekCoderLetters:
      return whitespace_led_run(text, at, kClassLetter);
    case SplitPattern::kDeepSeekCoderPunctuation:
      return whitespace_led_run(text, at, kClassPunctuation);
    case SplitPattern::kDeepSeekCoderCjk:
      return run_where(text, at, is_deepseek_coder_cjk);
  }
  return at;
}

}  // namespace

std::optional<SplitPattern> find_split_pattern(std::string_view regex) {
  std::string escaped;
  for (const char c : regex) {
    if (c == '\r') {
      escaped += "\\r";
    } else if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  for (const NamedPattern& named : kPatterns) {
    if (named.regex == escaped) return named.pattern;
  }
  return std::nullopt;
}

std::size_t match_split_pattern(SplitPattern pattern, std::string_view text, std::size_t at) {
  return match_end(pattern, text, at) - at;
}

}  // namespace quire
