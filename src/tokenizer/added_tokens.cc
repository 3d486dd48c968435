#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/role_names.h"
#include "tokenizer/bpe_merger.h"
#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

// Whether a found token touches no word character. To a control token untrusted neighbours are
// none: what a message begins with must not take the marker before it away.
bool stands_alone(const AddedToken& token,
                  const TrustedText& text,
                  ByteRange limits,
                  ByteRange found) {
  const std::string_view visible =
      std::string_view(text.text).substr(limits.begin, limits.end - limits.begin);
  const ClassedChar before = classed_char_before(visible, found.begin - limits.begin);
  const ClassedChar after = classed_char_at(visible, found.end - limits.begin);
  const auto is_word = [&](const ClassedChar& c, std::size_t at) {
    if (!c.is(kClassWord)) return false;
    return !token.is_control() || text.is_trusted(at, at + c.length);
  };
  return !is_word(before, found.begin - before.length) && !is_word(after, found.end);
}

std::size_t skip_spaces_back(std::string_view text, std::size_t at, std::size_t stop) {
  while (at > stop) {
    const ClassedChar c = classed_char_before(text, at);
    if (!c.is(kClassSpace)) break;
    at -= c.length;
  }
  return at;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  for (ClassedChar c = classed_char_at(text, at); c.is(kClassSpace);
       c = classed_char_at(text, at)) {
    at += c.length;
  }
  return at;
}

// Whether a place is the template's but for the name of a role in its middle: "<|" + role + "|>".
bool is_marker_of_role(const TrustedText& text, std::size_t begin, std::size_t end) {
  const auto gap = text.only_gap(begin, end);
  if (!gap) return false;
  const std::string_view name =
      std::string_view(text.text).substr(gap->begin, gap->end - gap->begin);
  return std::ranges::find(kRoleNames, name) != kRoleNames.end();
}

}  // namespace

bool is_blank(std::string_view content) {
  constexpr char32_t kMark = 0x2581;
  for (std::size_t at = 0; at < content.size();) {
    const ClassedChar c = classed_char_at(content, at);
    if (!c.is(kClassSpace) && c.code_point != kMark) return false;
    at += c.length;
  }
  return true;
}

AddedTokenFinder::AddedTokenFinder(std::vector<std::pair<AddedToken, std::string>> tokens) {
  std::vector<std::pair<std::string, std::size_t>> contents;
  contents.reserve(tokens.size());
  for (auto& [token, content] : tokens) {
    blank_.push_back(is_blank(content));
    contents.emplace_back(std::move(content), tokens_.size());
    tokens_.push_back(std::move(token));
  }
  index_ = ContentIndex(std::move(contents));
}

bool AddedTokenFinder::counts(const AddedToken& token,
                              const TrustedText& text,
                              std::size_t begin,
                              std::size_t end) const {
  if (text.is_trusted(begin, end) || is_marker_of_role(text, begin, end)) return true;
  if (token.is_control()) return false;
  return blank_[static_cast<std::size_t>(&token - tokens_.data())] || text.is_untrusted(begin, end);
}

AddedTokenFinder::Match AddedTokenFinder::match_at(const TrustedText& text,
                                                   std::size_t at,
                                                   std::size_t end) const {
  Match longest;
  index_.visit_at(
      std::string_view(text.text).substr(0, end), at, [&](std::size_t place, std::size_t length) {
        const AddedToken& token = tokens_[place];
        if (counts(token, text, at, at + length)) longest = {&token, at + length};
      });
  return longest;
}

std::vector<AddedTokenSegment> AddedTokenFinder::find(const TrustedText& text,
                                                      std::size_t begin,
                                                      std::size_t end) const {
  std::vector<AddedTokenSegment> segments;
  const std::string_view visible = std::string_view(text.text).substr(0, end);
  std::size_t done = begin;  // all before it is in a segment
  std::size_t at = begin;
  // Whitespace is gone through once, however many tokens want what is behind them.
  ByteRange spaces;
  const auto skip_spaces_once = [&](std::size_t from) {
    if (from < spaces.begin || from > spaces.end) spaces = {from, skip_spaces(visible, from)};
    return spaces.end;
  };
  while (at < end && !index_.empty()) {
    if (!index_.may_begin(visible[at])) {
      ++at;
      continue;
    }
    const Match match = match_at(text, at, end);
    if (match.token == nullptr) {
      ++at;
      continue;
    }
    const std::size_t found_at = at;
    at = match.end;
    if (match.token->single_word &&
        !stands_alone(*match.token, text, {begin, end}, {found_at, match.end})) {
      continue;
    }
    std::size_t first = found_at;
    std::size_t last = match.end;
    if (match.token->lstrip) first = skip_spaces_back(visible, found_at, std::max(done, begin));
    if (match.token->rstrip) last = skip_spaces_once(match.end);
    if (done < first) segments.push_back({kNoToken, done, first});
    segments.push_back({match.token->id, first, last});
    // A token that begins with whitespace may lie inside what an rstrip token before it took along;
    // it is still a token, but text is never handed out twice.
    done = std::max(done, last);
  }
  if (done < end) segments.push_back({kNoToken, done, end});
  return segments;
}

}  // namespace quire
