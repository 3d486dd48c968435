#include "tokenizer/unigram_encoder.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/bpe_merger.h"

namespace quire {
namespace {

// How much worse than the worst piece a character without a piece is.
constexpr double kUnknownPenalty = 10.0;
constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

// The best way to a place of the word.
struct Node {
  double score = 0;
  std::size_t begin = kNowhere;  // of its last piece
  TokenId id = kNoToken;         // of that; kNoToken for a character without a piece
};

}  // namespace

UnigramEncoder::UnigramEncoder(const std::vector<std::string>& pieces,
                               const std::vector<bool>& excluded,
                               UnigramRules rules)
    : rules_(std::move(rules)) {
  std::vector<std::pair<std::string, std::size_t>> contents;
  double lowest = 0;
  for (std::size_t id = 0; id < rules_.scores.size(); ++id) {
    lowest = id == 0 ? rules_.scores[id] : std::min(lowest, rules_.scores[id]);
    if (!excluded[id] && !pieces[id].empty()) contents.emplace_back(pieces[id], id);
  }
  unknown_score_ = lowest - kUnknownPenalty;
  index_ = ContentIndex(std::move(contents));
}

void UnigramEncoder::encode_word(std::string_view word,
                                 bool allow_unknown,
                                 std::vector<TokenId>* ids) const {
  std::vector<Node> best(word.size() + 1);
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t length = decode_utf8(word, at).length;
    const double score_here = best[at].score;
    const auto offer = [&](std::size_t end, double score, TokenId id) {
      Node& node = best[end];
      if (node.begin == kNowhere || score > node.score) node = {score, at, id};
    };
    bool has_character = false;
    index_.visit_at(word, at, [&](std::size_t id, std::size_t size) {
      offer(at + size, rules_.scores[id] + score_here, static_cast<TokenId>(id));
      has_character |= size == length;
    });
    if (!has_character) offer(at + length, unknown_score_ + score_here, kNoToken);
    at += length;
  }
  // From the end to the beginning; neighbours without a piece are one.
  std::vector<std::pair<std::size_t, std::size_t>> parts;
  std::size_t unknown_end = kNowhere;
  for (std::size_t end = word.size(); end > 0; end = best[end].begin) {
    const bool is_unknown = best[end].id == kNoToken;
    const bool joins = is_unknown && unknown_end == end;
    if (joins) {
      parts.back().first = best[end].begin;
    } else {
      parts.emplace_back(best[end].begin, end);
    }
    unknown_end = is_unknown ? best[end].begin : kNowhere;
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const Node& node = best[part->second];
    if (node.id != kNoToken) {
      ids->push_back(node.id);
    } else {
      append_unknown(word.substr(part->first, part->second - part->first), allow_unknown, ids);
    }
  }
}

void UnigramEncoder::append_unknown(std::string_view text,
                                    bool allow_unknown,
                                    std::vector<TokenId>* ids) const {
  const std::size_t before = ids->size();
  for (const char c : text) {
    const TokenId token = rules_.token_of_byte[static_cast<unsigned char>(c)];
    if (token == kNoToken) {
      ids->resize(before);
      if (allow_unknown && rules_.unknown != kNoToken) ids->push_back(rules_.unknown);
      return;
    }
    ids->push_back(token);
  }
}

}  // namespace quire
