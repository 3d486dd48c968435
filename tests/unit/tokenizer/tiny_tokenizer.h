#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer_json.h"

namespace quire {

// A tokenizer.json in memory: the 256 bytes as ids 0 to 255, then some merges, then "<s>" and
// "</s>" as special tokens. Tests change what they are about.
inline nlohmann::json tiny_tokenizer_json() {
  nlohmann::json vocab = nlohmann::json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocab[alphabet_of_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  }
  nlohmann::json merges = nlohmann::json::array();
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"t", "h"}, {"th", "e"}, {" ", "the"}, {"1", "2"}, {"a", "a"}, {"aa", "aa"}};
  for (const auto& [left, right] : pairs) {
    merges.push_back({alphabet_of_bytes(left), alphabet_of_bytes(right)});
    const int id = static_cast<int>(vocab.size());
    vocab[alphabet_of_bytes(left + right)] = id;
  }
  nlohmann::json added = nlohmann::json::array();
  for (const char* content : {"<s>", "</s>"}) {
    added.push_back({{"id", 262 + added.size()},
                     {"content", content},
                     {"special", true},
                     {"normalized", false},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false}});
  }
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  return {{"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
}

inline constexpr TokenId kBos = 262;
inline constexpr TokenId kEos = 263;

inline std::unique_ptr<Tokenizer> make_tokenizer(const nlohmann::json& json) {
  auto tokenizer = parse_tokenizer_json(json.dump());
  if (!tokenizer) throw std::runtime_error(tokenizer.error().message());
  return *std::move(tokenizer);
}

}  // namespace quire
