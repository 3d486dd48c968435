#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

constexpr std::size_t kMaxPatternBytes = 8192;
// A match of a word takes some hundred steps. What takes more than the first of these is tried
// again with the next and is charged to the text, which bounds what a hostile pair of pattern and
// text can cost.
constexpr std::array<std::uint32_t, 6> kMatchLimits = {1024, 4096, 16384, 65536, 262144, 1'000'000};
constexpr std::uint32_t kDepthLimit = 10'000;
constexpr std::uint32_t kHeapLimitKib = 65536;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using CodePointer = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using ContextPointer = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using MatchPointer = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;

PCRE2_SPTR bytes_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());  // NOLINT: the library's character type
}

// Where the class that begins at pattern[at] ends (the place of its bracket); npos when it does
// not.
std::size_t class_end(std::string_view pattern, std::size_t at) {
  int depth = 0;
  for (; at < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      ++at;
    } else if (pattern.substr(at, 2) == "[:" && depth > 0) {
      at = pattern.find(":]", at);
      if (at == std::string_view::npos) return at;
      ++at;
    } else if (pattern[at] == '[') {
      ++depth;
    } else if (pattern[at] == ']' && --depth == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

// The members of a class without the brackets of classes inside it. Nothing for an excluded class
// inside, whose members cannot be listed.
std::optional<std::string> flat_members(std::string_view members) {
  std::string flat;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i] == '\\') {
      flat += members.substr(i++, 2);
    } else if (members.substr(i, 2) == "[:") {
      const std::size_t end = members.find(":]", i);
      flat += members.substr(i, end + 2 - i);
      i = end + 1;
    } else if (members.substr(i, 2) == "[^") {
      return std::nullopt;
    } else if (members[i] != '[' && members[i] != ']') {
      flat.push_back(members[i]);
    }
  }
  return flat;
}

// [a[bc]] is [abc], and [a&&[^b]] is what is in [a] and not in [b].
std::optional<std::string> plain_class(std::string_view members) {
  const std::size_t both = members.find("&&");
  const std::optional<std::string> left = flat_members(members.substr(0, both));
  if (!left) return std::nullopt;
  if (both == std::string_view::npos) return "[" + *left + "]";
  std::string_view right = members.substr(both + 2);
  const bool is_one_class = right.starts_with('[') && class_end(right, 0) + 1 == right.size();
  if (!is_one_class || left->starts_with('^')) return std::nullopt;
  right = right.substr(1, right.size() - 2);
  const bool is_excluded = right.starts_with('^');
  if (is_excluded) right.remove_prefix(1);
  const std::optional<std::string> others = flat_members(right);
  if (!others || right.find("&&") != std::string_view::npos) return std::nullopt;
  return std::string(is_excluded ? "(?:(?![" : "(?:(?=[") + *others + "])[" + *left + "])";
}

// tokenizer.json is written for Oniguruma, in which classes can hold and cut classes. Says the same
// for PCRE2; nothing for what cannot be said so.
std::optional<std::string> with_plain_classes(std::string_view pattern) {
  std::string plain;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      plain += pattern.substr(i++, 2);
    } else if (pattern[i] != '[') {
      plain.push_back(pattern[i]);
    } else {
      const std::size_t end = class_end(pattern, i);
      if (end == std::string_view::npos) return std::nullopt;
      const auto members = plain_class(pattern.substr(i + 1, end - i - 1));
      if (!members) return std::nullopt;
      plain += *members;
      i = end;
    }
  }
  return plain;
}

// Whether a pattern has \K, by which a match may begin behind its own end.
bool sets_begin(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    if (pattern[i + 1] == 'K') return true;
    if (pattern[i + 1] == 'Q') {  // up to \E nothing means anything
      i = std::min(pattern.find("\\E", i), pattern.size());
    }
    ++i;
  }
  return false;
}

// Blocks of letters that are newer than PCRE2's Unicode and not than the reference's, and an older
// letter like them, also of four bytes.
struct NewerLetters {
  char32_t first = 0;
  char32_t last = 0;
  std::string_view stand_in;
};
constexpr std::array<NewerLetters, 3> kNewerLetters = {
    {{0x13460, 0x143FA, "\U00013000"},    // hieroglyphs
     {0x2EBF0, 0x2EE5D, "\U00020000"},    // ideographs
     {0x31350, 0x323AF, "\U00020000"}}};  // ideographs

// The text with older letters in the places of those newer ones. Empty when there is none.
std::string with_known_letters(std::string_view text) {
  std::string known;
  for (std::size_t at = text.find('\xF0'); at != std::string_view::npos;
       at = text.find('\xF0', at + 1)) {
    const char32_t c = decode_utf8(text, at).code_point;
    for (const NewerLetters& letters : kNewerLetters) {
      if (c < letters.first || c > letters.last) continue;
      if (known.empty()) known = text;
      known.replace(at, letters.stand_in.size(), letters.stand_in);
    }
  }
  return known;
}

}  // namespace

struct Regex::Code {
  CodePointer code;
  std::array<ContextPointer, kMatchLimits.size()> contexts;  // one for each limit
};

struct RegexSearch::State {
  MatchPointer match;
};

Regex::Regex(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Regex::~Regex() = default;

Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view pattern) {
  const auto quoted = [pattern] { return "\"" + std::string(pattern.substr(0, 160)) + "\""; };
  if (pattern.size() > kMaxPatternBytes) return bad_model("a regular expression is too long");
  const std::optional<std::string> plain = with_plain_classes(pattern);
  if (!plain) return bad_model("the regular expression " + quoted() + " is not supported");
  if (sets_begin(*plain)) {
    return bad_model("the regular expression " + quoted() +
                     " is not supported: \\K sets where a match begins");
  }
  int error = 0;
  PCRE2_SIZE offset = 0;
  constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  auto code = std::make_unique<Code>();
  code->code.reset(
      pcre2_compile(bytes_of(*plain), plain->size(), kOptions, &error, &offset, nullptr));
  if (!code->code) {
    std::array<PCRE2_UCHAR, 160> text = {};
    pcre2_get_error_message(error, text.data(), text.size());
    std::string reason;
    for (const PCRE2_UCHAR c : text) {
      if (c == 0) break;
      reason.push_back(static_cast<char>(c));
    }
    return bad_model("the regular expression " + quoted() + " is wrong: " + reason);
  }
  // Where it is not to be had, matching is slower and no different.
  pcre2_jit_compile(code->code.get(), PCRE2_JIT_COMPLETE);
  for (std::size_t i = 0; i < kMatchLimits.size(); ++i) {
    ContextPointer& context = code->contexts[i];
    context.reset(pcre2_match_context_create(nullptr));
    QUIRE_CHECK(context != nullptr, "memory for a match context");
    pcre2_set_match_limit(context.get(), kMatchLimits[i]);
    pcre2_set_depth_limit(context.get(), kDepthLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  }
  return std::shared_ptr<const Regex>(std::make_shared<Regex>(std::move(code)));
}

RegexSearch::RegexSearch(const Regex& regex, std::string_view text, TextWork* work)
    : regex_(regex),
      own_work_(text.size()),
      work_(work == nullptr ? &own_work_ : work),
      stand_in_(with_known_letters(text)),
      text_(stand_in_.empty() ? text : std::string_view(stand_in_)),
      state_(std::make_unique<State>()) {
  state_->match.reset(pcre2_match_data_create(1, nullptr));
  QUIRE_CHECK(state_->match != nullptr, "memory for a match");
}

RegexSearch::~RegexSearch() = default;

int RegexSearch::match() {
  const auto run = [this](std::size_t limit, std::uint32_t options) {
    return pcre2_match(regex_.code_->code.get(),
                       bytes_of(text_),
                       text_.size(),
                       at_,
                       PCRE2_NO_UTF_CHECK | options,
                       state_->match.get(),
                       regex_.code_->contexts[limit].get());
  };
  int result = PCRE2_ERROR_MATCHLIMIT;
  for (std::size_t i = 0; i < kMatchLimits.size() && result == PCRE2_ERROR_MATCHLIMIT; ++i) {
    if (i > 0 && !work_->take_regex_steps(kMatchLimits[i])) break;
    result = run(i, 0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(i, PCRE2_NO_JIT);
  }
  return result;
}

Result<std::optional<ByteRange>> RegexSearch::next() {
  while (at_ <= text_.size()) {
    const int result = match();
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      return invalid_argument(
          "the tokenizer's regular expression needs too much work on this text; give a shorter "
          "one");
    }
    const PCRE2_SIZE* place = pcre2_get_ovector_pointer(state_->match.get());
    const ByteRange match{place[0], place[1]};
    if (match.begin < at_ || match.end < match.begin) {
      return invalid_argument(
          "the tokenizer's regular expression makes no progress on this text; give another one");
    }
    if (match.begin == match.end && last_end_ == match.end) {
      const std::size_t length = classed_char_at(text_, match.end).length;
      at_ = match.end + (length == 0 ? 1 : length);
      continue;
    }
    at_ = match.end;
    last_end_ = match.end;
    return std::optional(match);
  }
  at_ = text_.size() + 1;
  return std::optional<ByteRange>();
}

}  // namespace quire
