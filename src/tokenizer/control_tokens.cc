#include "tokenizer/control_tokens.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/content_index.h"

namespace quire {
namespace {

bool is_one_character(const std::string& content) {
  return decode_utf8(content, 0).length == content.size();
}

}  // namespace

void mark_control_tokens(const TokenizerOptions& options, std::vector<AddedToken>* tokens) {
  const std::unordered_set<TokenId> ids(options.control_ids.begin(), options.control_ids.end());
  std::vector<std::pair<std::string, std::size_t>> markers;
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    AddedToken& token = (*tokens)[i];
    // A byte stays text: anything could spell it.
    if (ids.contains(token.id) && token.content.size() > 1) token.control = true;
    if (token.content.empty() || is_one_character(token.content) || is_blank(token.content)) {
      continue;
    }
    markers.emplace_back(token.content, i);
  }
  const ContentIndex index(std::move(markers));
  for (const std::string& text : options.template_texts) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      index.visit_at(text, at, [&](std::size_t i, std::size_t) { (*tokens)[i].control = true; });
    }
  }
  // A token may be listed twice; what one entry is the other is too.
  std::unordered_set<std::string> controls;
  for (const AddedToken& token : *tokens) {
    if (token.control) controls.insert(token.content);
  }
  for (AddedToken& token : *tokens) token.control |= controls.contains(token.content);
}

bool is_only_unknown(const TokenizerOptions& options, TokenId id, const std::string& content) {
  std::string name = content;
  std::ranges::transform(name, name.begin(), [](char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  const bool is_called_so = name.find("unk") != std::string::npos;
  const bool is_of_turns = std::ranges::find(options.turn_ids, id) != options.turn_ids.end();
  return is_called_so && !is_of_turns &&
         std::ranges::none_of(options.template_texts, [&content](const std::string& text) {
           return text.find(content) != std::string::npos;
         });
}

}  // namespace quire
