#include "tokenizer/tokenizer_config.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/tokenizer/tiny_tokenizer.h"

namespace quire {
namespace {

using nlohmann::json;

const ModelVocabulary kVocabulary = {
    [](const std::string& text) { return text == "a" ? std::optional<TokenId>(97) : std::nullopt; },
    262};

// The added token with a content after the merge; null when there is none.
json added(const TokenizerConfigFiles& files, const std::string& content) {
  json document = tiny_tokenizer_json();
  if (!apply_tokenizer_config(files, kVocabulary, &document).ok()) return "failed";
  for (const json& token : document["added_tokens"]) {
    if (token["content"] == content) return token;
  }
  return nullptr;
}

TEST(TokenizerConfigTest, FlagsAndTokensOfTheConfigCount) {
  TokenizerConfigFiles files;
  files.tokenizer_config = json::parse(R"({"added_tokens_decoder": {
      "262": {"content": "<s>", "special": true, "rstrip": true},
      "9": {"content": "<new>", "special": false},
      "10": {"content": "a", "special": true}}})");
  EXPECT_EQ(added(files, "<s>")["rstrip"], true);
  EXPECT_EQ(added(files, "<s>")["id"], 262);
  EXPECT_EQ(added(files, "</s>")["id"], 263) << "what only the tokenizer has stays";
  EXPECT_EQ(added(files, "<new>")["id"], 264) << "the next free id, whatever the key says";
  EXPECT_EQ(added(files, "a")["id"], 97) << "a text of the vocabulary keeps its id";
}

TEST(TokenizerConfigTest, ATokenThatIsSpecialOnlyThereIsSpecial) {
  TokenizerConfigFiles files;
  files.tokenizer_config = {{"pad_token", "<pad>"},
                            {"extra_special_tokens", json::array({"<extra>"})}};
  files.added_tokens = json::parse(R"({"<pad>": 264, "<plain>": 265})");
  EXPECT_EQ(added(files, "<pad>")["special"], true);
  EXPECT_EQ(added(files, "<plain>")["special"], false);
  EXPECT_EQ(added(files, "<extra>")["special"], true);
}

TEST(TokenizerConfigTest, WhatCannotBeUnderstoodIsRefusedInALine) {
  for (const char* config : {R"({"added_tokens_decoder": []})",
                             R"({"added_tokens_decoder": {"x": {"content": "a"}}})",
                             R"({"added_tokens_decoder": {"-1": {"content": "a"}}})",
                             R"({"added_tokens_decoder": {"1": "a"}})",
                             R"({"added_tokens_decoder": {"1": {"content": "a", "special": 3}}})",
                             R"({"extra_special_tokens": 7})",
                             R"({"extra_special_tokens": [7]})",
                             R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": "x"})"}) {
    json document = tiny_tokenizer_json();
    const Status status =
        apply_tokenizer_config({.tokenizer_config = json::parse(config)}, kVocabulary, &document);
    EXPECT_EQ(status.code(), StatusCode::kBadModel) << config;
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
  }
  json document = json::array();
  EXPECT_FALSE(apply_tokenizer_config({}, kVocabulary, &document).ok());
}

}  // namespace
}  // namespace quire
