#include "tokenizer/model_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tokenizer/token_index.h"
#include "unit/tokenizer/tiny_tokenizer.h"

namespace quire {
namespace {

using Strings = std::vector<std::string>;

TEST(ModelTextTest, CutsTheLongPartsOutWhereverTheyStand) {
  const auto cut =
      cut_model_text(R"( {"a": {"vocab": 1, "x": "]}\"{"}, "model" : {"merges": ["a b"], "k": [], )"
                     R"("vocab":{"a":0}}, "z":-1.5} )");
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->vocab, R"({"a":0})");
  EXPECT_EQ(cut->merges, R"(["a b"])");
  EXPECT_EQ(nlohmann::json::parse(cut->rest)["model"]["vocab"], nullptr);
  EXPECT_EQ(nlohmann::json::parse(cut->rest)["a"]["vocab"], 1);
}

TEST(ModelTextTest, AFileLaidOutForPeopleIsCutAsWell) {
  const auto cut = cut_model_text(
      "{\n  \"model\": {\n    \"vocab\": {\n      \"a\": 0\n    },\n"
      "    \"merges\": [\n      [\"a\", \"b\"]\n    ]\n  }\n}\n");
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->vocab.starts_with('{')) << cut->vocab;
  EXPECT_TRUE(cut->merges.starts_with('[')) << cut->merges;
  EXPECT_TRUE(read_vocab_text(cut->vocab, 6, 8));
}

TEST(ModelTextTest, WhatIsUnusualIsLeftToTheTree) {
  for (const char* json : {"",
                           "[]",
                           "{}",
                           R"({"model": {"vocab": {}}})",
                           R"({"model": {"vocab": {}, "merges": []})",
                           R"({"model": {"vocab": {}, "merges": []}} x)",
                           R"({"model": 1})"}) {
    EXPECT_FALSE(cut_model_text(json)) << json;
  }
  for (const char* vocab : {"[]",
                            R"({"a": -1})",
                            R"({"a": 1.0})",
                            R"({"a": 01})",
                            R"({"a": 1e1})",
                            R"({"a": 9})",
                            R"({"a": 1, "b": 1})",
                            R"({"a": 1,})",
                            R"({"": 1})",
                            "{\"\xFF\": 1}",
                            "{\"\n\": 1}",
                            R"({"\ud800": 1})",
                            R"({"\x": 1})",
                            R"({"toolong": 1})",
                            R"({"a": 1} 1)"}) {
    EXPECT_FALSE(read_vocab_text(vocab, 6, 8)) << vocab;
  }
}

TEST(ModelTextTest, TokensAreReadAsJsonHasThem) {
  const auto texts = read_vocab_text(R"({ "a":2 ,"\u0120\"\\\n": 0, "\ud83d\ude42":1})", 64, 8);
  ASSERT_TRUE(texts);
  EXPECT_EQ(*texts, (Strings{"\u0120\"\\\n", "\U0001F642", "a"}));
  EXPECT_EQ(read_vocab_text("{}", 6, 8), Strings{});
}

TEST(ModelTextTest, MergesAreReadInBothForms) {
  MergeTextReader reader(R"([ "a b" , ["c d","\u0120"],["","x"] ])");
  const auto first = reader.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, "a");
  EXPECT_EQ(first->second, "b");
  const auto second = reader.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first, "c d");
  EXPECT_EQ(second->second, "\u0120");
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.is_whole());
  for (const char* merges : {"{}",
                             "[1]",
                             R"(["a"])",
                             R"(["a b c"])",
                             R"([["a"]])",
                             R"(["a b",])",
                             R"(["a b"] 1)",
                             R"(["a b" "c d"])"}) {
    MergeTextReader wrong(merges);
    while (wrong.next()) {
    }
    EXPECT_FALSE(wrong.is_whole()) << merges;
  }
}

TEST(ModelTextTest, AFileWrittenOtherwiseMakesTheSameTokenizer) {
  const nlohmann::json file = tiny_tokenizer_json();
  const auto plain = make_tokenizer(file);
  // Escapes for everything, and much space.
  const auto escaped = parse_tokenizer_json(file.dump(3, ' ', true));
  ASSERT_TRUE(escaped);
  const std::string text = "the aaaa 12 \u00E9 <s>";
  EXPECT_EQ(*(*escaped)->encode_special(text), *plain->encode_special(text));
}

TEST(TokenIndexTest, FindsEveryTextAndNoOther) {
  Strings texts;
  for (std::size_t i = 0; i < 5000; ++i)
    texts.push_back(i % 7 == 0 ? "" : std::string(i % 40, 'a') + std::to_string(i));
  const TokenIndex index(texts);
  EXPECT_FALSE(index.duplicate());
  std::vector<std::string_view> asked(texts.begin(), texts.end());
  asked.emplace_back("none");
  std::vector<TokenId> ids(asked.size());
  index.find_all(asked, ids);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(ids[i], texts[i].empty() ? kNoToken : static_cast<TokenId>(i));
    EXPECT_EQ(index.find(texts[i]).value_or(kNoToken), ids[i]);
  }
  EXPECT_EQ(ids.back(), kNoToken);
  EXPECT_FALSE(TokenIndex().find("a"));
  const Strings twice = {"a", "b", "a"};
  EXPECT_EQ(TokenIndex(twice).duplicate(), std::pair(TokenId{0}, TokenId{2}));
}

}  // namespace
}  // namespace quire
