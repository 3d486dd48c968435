#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/bpe_merger.h"
#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  return !classed_char_before(text, begin).is(kClassWord) &&
         !classed_char_at(text, end).is(kClassWord);
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

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string_view content) {
  starts_[static_cast<unsigned char>(content.front())] = true;
  std::uint32_t node = 0;
  for (const char c : content) {
    const auto next = static_cast<std::uint32_t>(nodes_.size());
    const auto [child, is_new] =
        nodes_[node].children.try_emplace(static_cast<unsigned char>(c), next);
    node = child->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[node].token = static_cast<std::int32_t>(tokens_.size());
  tokens_.push_back(token);
}

AddedTokenFinder::Match AddedTokenFinder::match_at(const TrustedText& text,
                                                   std::size_t at,
                                                   std::size_t end) const {
  Match longest;
  std::uint32_t node = 0;
  for (std::size_t place = at; place < end; ++place) {
    const auto& children = nodes_[node].children;
    const auto child = children.find(static_cast<unsigned char>(text.text[place]));
    if (child == children.end()) break;
    node = child->second;
    if (nodes_[node].token < 0) continue;
    const AddedToken& token = tokens_[static_cast<std::size_t>(nodes_[node].token)];
    if (token.special && !text.is_trusted(at, place + 1)) continue;
    longest = {&token, place + 1};
  }
  return longest;
}

std::vector<AddedTokenSegment> AddedTokenFinder::find(const TrustedText& text,
                                                      std::size_t begin,
                                                      std::size_t end) const {
  std::vector<AddedTokenSegment> segments;
  const std::string_view visible = std::string_view(text.text).substr(0, end);
  std::size_t done = begin;  // all before it is in a segment
  std::size_t at = begin;
  while (at < end && !tokens_.empty()) {
    if (!starts_[static_cast<unsigned char>(visible[at])]) {
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
        !stands_alone(visible.substr(begin), found_at - begin, match.end - begin)) {
      continue;
    }
    std::size_t first = found_at;
    std::size_t last = match.end;
    if (match.token->lstrip) first = skip_spaces_back(visible, found_at, std::max(done, begin));
    if (match.token->rstrip) last = skip_spaces(visible, match.end);
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
