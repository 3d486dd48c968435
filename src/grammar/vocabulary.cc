#include "grammar/vocabulary.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::grammar {
namespace {

std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t length = 0;
  while (length < most && a[length] == b[length]) ++length;
  return length;
}

TokenTree make_tree(const std::vector<std::string>& bytes) {
  std::vector<TokenId> order;
  for (std::size_t id = 0; id < bytes.size(); ++id) {
    if (!bytes[id].empty()) order.push_back(static_cast<TokenId>(id));
  }
  const auto text = [&](TokenId id) { return std::string_view(bytes[index(id)]); };
  std::ranges::stable_sort(order, {}, text);
  TokenTree tree;
  std::vector<std::size_t> path;  // the node of each byte of the token before
  const auto close = [&](std::size_t depth) {
    while (path.size() > depth) {
      tree.nodes[path.back()].skip = static_cast<std::int32_t>(tree.nodes.size());
      path.pop_back();
    }
  };
  std::string_view before;
  for (const TokenId id : order) {
    const std::string_view now = text(id);
    if (now == before) {
      TokenTree::Node& node = tree.nodes[path.back()];
      if (node.more == 0) {
        tree.same.emplace_back();
        node.more = static_cast<std::int32_t>(tree.same.size());
      }
      tree.same[index(node.more - 1)].push_back(id);
      continue;
    }
    close(common_prefix(before, now));
    for (std::size_t depth = path.size(); depth < now.size(); ++depth) {
      path.push_back(tree.nodes.size());
      tree.nodes.push_back({.skip = 0,
                            .token = -1,
                            .more = 0,
                            .depth = static_cast<std::uint16_t>(depth),
                            .byte = static_cast<std::uint8_t>(now[depth])});
    }
    tree.nodes.back().token = id;
    before = now;
  }
  close(0);
  return tree;
}

// What does not fit the logits or the tree's depth cannot be chosen.
std::vector<std::string> cut(std::vector<std::string> bytes, int size) {
  bytes.resize(static_cast<std::size_t>(size));
  for (std::string& token : bytes) {
    if (token.size() > std::numeric_limits<std::uint16_t>::max()) token.clear();
  }
  return bytes;
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> bytes, std::vector<std::string> leading, int size)
    : bytes_(cut(std::move(bytes), size)), size_(size), has_leading_(!leading.empty()) {
  for (const std::string& token : bytes_) {
    max_token_bytes_ = std::max(max_token_bytes_, token.size());
  }
  tree_ = make_tree(bytes_);
  plain_mask_.resize(num_mask_words());
  std::vector<std::string> rest = bytes_;
  for (std::size_t id = 0; id < rest.size(); ++id) {
    const bool plain = !rest[id].empty() &&
                       rest[id].size() <= static_cast<std::size_t>(kPlainBytes) &&
                       std::ranges::all_of(
                           rest[id], [](char c) { return is_plain(static_cast<std::uint8_t>(c)); });
    if (!plain) continue;
    plain_mask_[id / 64] |= std::uint64_t{1} << (id % 64);
    rest[id].clear();
  }
  rest_tree_ = make_tree(rest);
  if (!has_leading_) return;
  leading_ = cut(std::move(leading), size);
  leading_tree_ = make_tree(leading_);
}

const std::string& Vocabulary::bytes(TokenId id, bool leading) const {
  static const std::string kNone;
  if (id < 0 || id >= size_) return kNone;
  return leading && has_leading_ ? leading_[index(id)] : bytes_[index(id)];
}

}  // namespace quire::grammar
