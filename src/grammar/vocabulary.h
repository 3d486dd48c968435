#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quire/types.h"

namespace quire::grammar {

// The bytes of a model's tokens as a tree, in the order of a walk through it: a node's children
// come after it, and `skip` is where its brother stands.
struct TokenTree {
  struct Node {
    std::int32_t skip;    // the first node that is not below this one
    TokenId token;        // that ends here; -1: none
    std::int32_t more;    // further tokens of the same bytes: 1 + where in `same`; 0: none
    std::uint16_t depth;  // of its byte in the token, from 0
    std::uint8_t byte;
  };
  std::vector<Node> nodes;
  std::vector<std::vector<TokenId>> same;
};

// What the grammars need of a tokenizer, as plain data. Immutable: any thread.
class Vocabulary {
 public:
  // `bytes[id]`: what a token adds to a text, empty for one that no text is made of: a control
  // token, an end, a hole. `leading[id]`: the same at the beginning of a text; empty list: equal.
  // `size`: the width of the model's logits; what lies beyond is left out.
  Vocabulary(std::vector<std::string> bytes, std::vector<std::string> leading, int size);

  int size() const { return size_; }
  std::size_t num_mask_words() const { return (static_cast<std::size_t>(size_) + 63) / 64; }
  std::size_t max_token_bytes() const { return max_token_bytes_; }
  const TokenTree& tree(bool leading) const {
    return leading && has_leading_ ? leading_tree_ : tree_;
  }
  // Tokens of at most kPlainBytes bytes that can all stand in a JSON string as they are (printable
  // ASCII, no quotation mark, no backslash), most of a vocabulary, as a mask; and the tree of all
  // others.
  static constexpr int kPlainBytes = 16;
  static bool is_plain(std::uint8_t byte) {
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
  }
  const std::vector<std::uint64_t>& plain_mask() const { return plain_mask_; }
  const TokenTree& rest_tree() const { return rest_tree_; }
  bool has_leading() const { return has_leading_; }
  // Empty for what no text is made of.
  const std::string& bytes(TokenId id, bool leading) const;

 private:
  std::vector<std::string> bytes_;
  std::vector<std::string> leading_;
  int size_;
  bool has_leading_;
  std::size_t max_token_bytes_ = 0;
  std::vector<std::uint64_t> plain_mask_;
  TokenTree rest_tree_;
  TokenTree tree_;
  TokenTree leading_tree_;
};

}  // namespace quire::grammar
