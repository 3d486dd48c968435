#include "tokenizer/bpe_merger.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace quire {
namespace {

BpeRules byte_rules() {
  BpeRules rules;
  for (int byte = 0; byte < 256; ++byte) rules.token_of_byte[static_cast<std::size_t>(byte)] = byte;
  return rules;
}

// Merges by the definition: the lowest rank anywhere, leftmost among equals, one at a time.
std::vector<TokenId> merge_naively(const BpeRules& rules, const std::string& word) {
  std::map<std::pair<TokenId, TokenId>, std::size_t> ranks;
  for (std::size_t i = 0; i < rules.merges.size(); ++i) {
    ranks[{rules.merges[i].left, rules.merges[i].right}] = i;
  }
  std::vector<TokenId> ids;
  for (const char byte : word) {
    ids.push_back(rules.token_of_byte[static_cast<unsigned char>(byte)]);
  }
  while (true) {
    std::size_t best = rules.merges.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ranks.find({ids[i], ids[i + 1]});
      if (found != ranks.end() && found->second < best) {
        best = found->second;
        at = i;
      }
    }
    if (best == rules.merges.size()) return ids;
    ids[at] = rules.merges[best].merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

// Random merges over few letters; a merged token stands for the text of its parts, so the same text
// has one id however it came about.
BpeRules random_rules(std::mt19937* random) {
  BpeRules rules = byte_rules();
  std::vector<std::string> texts;
  std::map<std::string, TokenId> ids;
  for (const char c : std::string("abc")) {
    texts.emplace_back(1, c);
    ids[texts.back()] = c;
  }
  TokenId next = 256;
  for (int i = 0; i < 60; ++i) {
    const std::string left = texts[(*random)() % texts.size()];
    const std::string right = texts[(*random)() % texts.size()];
    if (left.size() + right.size() > 12) continue;
    const auto [merged, is_new] = ids.emplace(left + right, next);
    if (is_new) {
      texts.push_back(left + right);
      ++next;
    }
    rules.merges.push_back({ids[left], ids[right], merged->second});
  }
  return rules;
}

TEST(BpeMergerTest, EveryWordHasTheTokensOfTheDefinition) {
  const unsigned seed = 20240607;
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const BpeRules rules = random_rules(&random);
    const BpeMerger merger(rules);
    // Both below and above the length from which a heap is used.
    for (const std::size_t length : {0U, 1U, 2U, 5U, 20U, 48U, 49U, 120U}) {
      std::string word;
      for (std::size_t i = 0; i < length; ++i) word += static_cast<char>('a' + random() % 3);
      std::vector<TokenId> ids;
      merger.encode_word(word, true, &ids);
      ASSERT_EQ(ids, merge_naively(rules, word)) << "seed " << seed << ", word " << word;
    }
  }
}

TEST(BpeMergerTest, AppendsAfterWhatIsThere) {
  BpeRules rules = byte_rules();
  rules.merges = {{'a', 'b', 300}};
  std::vector<TokenId> ids = {'a'};
  BpeMerger(rules).encode_word("bab", true, &ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{'a', 'b', 300}));
}

TEST(BpeMergerTest, BytesWithoutTokenAreDroppedOrUnknown) {
  BpeRules rules = byte_rules();
  rules.token_of_byte['x'] = kNoToken;
  std::vector<TokenId> ids;
  BpeMerger(rules).encode_word("axxb", true, &ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{'a', 'b'}));

  rules.unknown = 7;
  ids.clear();
  BpeMerger(rules).encode_word("axxb", true, &ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{'a', 7, 7, 'b'}));

  rules.fuse_unknown = true;
  ids.clear();
  BpeMerger(rules).encode_word("axxbx", true, &ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{'a', 7, 'b', 7}));

  ids.clear();
  BpeMerger(rules).encode_word("axxbx", false, &ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{'a', 'b'}));
}

TEST(BpeMergerTest, TheLastOfTwoEqualMergesCounts) {
  BpeRules rules = byte_rules();
  rules.merges = {{'a', 'b', 300}, {'b', 'c', 301}, {'a', 'b', 300}};
  std::vector<TokenId> ids;
  BpeMerger(rules).encode_word("abc", true, &ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{'a', 301}));
}

}  // namespace
}  // namespace quire
