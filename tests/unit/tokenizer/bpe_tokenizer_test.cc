#include "tokenizer/bpe_tokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "unit/tokenizer/tiny_tokenizer.h"

namespace quire {
namespace {

using Ids = std::vector<TokenId>;
using nlohmann::json;

constexpr TokenId kThe = 258;  // " the"
constexpr TokenId kTheAlone = 257;

Ids encoded(const Tokenizer& tokenizer, const std::vector<TextSpan>& spans) {
  const auto ids = tokenizer.encode_spans(spans);
  return ids ? *ids : Ids{-1};
}

TEST(BpeTokenizerTest, MergesWithinWords) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  EXPECT_EQ(*tokenizer->encode("the the"), (Ids{kTheAlone, kThe}));
  EXPECT_EQ(*tokenizer->encode(""), Ids{});
  EXPECT_EQ(*tokenizer->encode("\u00E9"), (Ids{0xC3, 0xA9}));
}

TEST(BpeTokenizerTest, PlainTextSpellsNoSpecialToken) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  EXPECT_EQ(*tokenizer->encode("<s>"), (Ids{'<', 's', '>'}));
  EXPECT_EQ(*tokenizer->encode_special("<s>the</s>"), (Ids{kBos, kTheAlone, kEos}));
}

TEST(BpeTokenizerTest, SpansAreOneTextForWords) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  EXPECT_EQ(encoded(*tokenizer, {{" t", true}, {"h", false}, {"e", true}}), (Ids{kThe}));
  EXPECT_EQ(encoded(*tokenizer, {}), Ids{});
}

TEST(BpeTokenizerTest, SpecialTokensMustLieInTrustedTextEntirely) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  EXPECT_EQ(encoded(*tokenizer, {{"<s", true}, {">", true}}), (Ids{kBos}));
  EXPECT_EQ(encoded(*tokenizer, {{"<s", true}, {">", false}}), (Ids{'<', 's', '>'}));
  EXPECT_EQ(encoded(*tokenizer, {{"<", false}, {"s>", true}}), (Ids{'<', 's', '>'}));
  EXPECT_EQ(encoded(*tokenizer, {{"<s>", false}, {"<s>", true}}), (Ids{'<', 's', '>', kBos}));
}

TEST(BpeTokenizerTest, UntrustedTextCannotHideASpecialToken) {
  json file = tiny_tokenizer_json();
  json longer = file["added_tokens"][0];
  longer["id"] = 264;
  longer["content"] = "x<s>";
  file["added_tokens"].push_back(longer);
  const auto tokenizer = make_tokenizer(file);
  EXPECT_EQ(*tokenizer->encode_special("x<s>"), (Ids{264}));
  EXPECT_EQ(encoded(*tokenizer, {{"x", false}, {"<s>", true}}), (Ids{'x', kBos}));
}

TEST(BpeTokenizerTest, AWordThatIsASpecialTokenStaysText) {
  json file = tiny_tokenizer_json();
  file["model"]["ignore_merges"] = true;
  file["model"]["vocab"]["word"] = 264;
  json added = file["added_tokens"][0];
  added["id"] = 264;
  added["content"] = "word";
  file["added_tokens"].push_back(added);
  const auto tokenizer = make_tokenizer(file);
  EXPECT_EQ(*tokenizer->encode("word"), (Ids{'w', 'o', 'r', 'd'}));
  EXPECT_EQ(*tokenizer->encode_special("word"), (Ids{264}));
}

TEST(BpeTokenizerTest, MergesNeverMakeASpecialToken) {
  json file = tiny_tokenizer_json();
  file["model"]["vocab"]["tha"] = 264;
  file["model"]["merges"].push_back({"th", "a"});
  EXPECT_EQ(*make_tokenizer(file)->encode("tha"), (Ids{264}));
  json added = file["added_tokens"][0];
  added["id"] = 264;
  added["content"] = "tha";
  file["added_tokens"].push_back(added);
  EXPECT_EQ(*make_tokenizer(file)->encode("tha"), (Ids{256, 'a'}));
}

TEST(BpeTokenizerTest, ASpecialUnknownTokenDoesNotComeFromUntrustedText) {
  json file = tiny_tokenizer_json();
  file["model"]["vocab"].erase("q");
  file["model"]["unk_token"] = "<s>";
  const auto tokenizer = make_tokenizer(file);
  EXPECT_EQ(*tokenizer->encode("aqb"), (Ids{'a', 'b'}));
  EXPECT_EQ(*tokenizer->encode_special("aqb"), (Ids{'a', kBos, 'b'}));
}

TEST(BpeTokenizerTest, IgnoreMergesKeepsWholeWords) {
  json file = tiny_tokenizer_json();
  file["model"]["vocab"]["zzz"] = 264;
  EXPECT_EQ(*make_tokenizer(file)->encode("zzz"), (Ids{'z', 'z', 'z'}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(*make_tokenizer(file)->encode("zzz"), (Ids{264}));
}

TEST(BpeTokenizerTest, FlagsOfAddedTokensTakeSpacesAndMindWords) {
  json file = tiny_tokenizer_json();
  const auto add = [&file](const char* content, const char* flag) {
    json token = file["added_tokens"][0];
    token["id"] = 262 + file["added_tokens"].size();
    token["content"] = content;
    token[flag] = true;
    file["added_tokens"].push_back(token);
  };
  add("<l>", "lstrip");       // 264
  add("<r>", "rstrip");       // 265
  add("one", "single_word");  // 266
  add("<n>", "normalized");   // 267
  const auto tokenizer = make_tokenizer(file);
  EXPECT_EQ(*tokenizer->encode_special("a  <l>b"), (Ids{'a', 264, 'b'}));
  EXPECT_EQ(*tokenizer->encode_special("a<r> \n b"), (Ids{'a', 265, 'b'}));
  EXPECT_EQ(*tokenizer->encode_special("<r>  <l>"), (Ids{265, 264}));
  EXPECT_EQ(*tokenizer->encode_special("one"), (Ids{266}));
  EXPECT_EQ(*tokenizer->encode_special("(one)"), (Ids{'(', 266, ')'}));
  EXPECT_EQ(*tokenizer->encode_special("ones"), (Ids{'o', 'n', 'e', 's'}));
  EXPECT_EQ(*tokenizer->encode_special("a<n>"), (Ids{'a', 267}));
}

TEST(BpeTokenizerTest, OrdinaryAddedTokensAreFoundInAnyText) {
  json file = tiny_tokenizer_json();
  json token = file["added_tokens"][0];
  token["id"] = 264;
  token["content"] = "    ";
  token["special"] = false;
  file["added_tokens"].push_back(token);
  EXPECT_EQ(*make_tokenizer(file)->encode("a    b"), (Ids{'a', 264, 'b'}));
}

TEST(BpeTokenizerTest, NormalizationKeepsSpecialTokensOfNormalizedText) {
  json file = tiny_tokenizer_json();
  file["normalizer"] = {{"type", "NFC"}};
  file["added_tokens"][0]["normalized"] = true;
  const auto tokenizer = make_tokenizer(file);
  EXPECT_EQ(*tokenizer->encode_special("e\u0301<s>"), (Ids{0xC3, 0xA9, kBos}));
  EXPECT_EQ(encoded(*tokenizer, {{"e\u0301<", true}, {"s", false}, {">", true}}),
            (Ids{0xC3, 0xA9, '<', 's', '>'}));
}

TEST(BpeTokenizerTest, TextThatIsNotUtf8IsRefused) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  const auto ids = tokenizer->encode("ab\xFFzz");
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(ids.error().message().find("byte 2"), std::string::npos);
}

TEST(BpeTokenizerTest, DecodingReplacesWhatIsNotUtf8) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  EXPECT_EQ(*tokenizer->decode(Ids{0xC3, 0xA9, 0xC3}, false), "\u00E9\uFFFD");
  EXPECT_EQ(*tokenizer->decode(Ids{kBos, 'a', kEos}, false), "<s>a</s>");
  EXPECT_EQ(*tokenizer->decode(Ids{kBos, 'a', kEos}, true), "a");
}

TEST(BpeTokenizerTest, IdsOutsideTheVocabularyAreRefused) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  EXPECT_EQ(tokenizer->vocab_size(), 264);
  for (const TokenId id : {-1, 264, 1 << 30}) {
    EXPECT_FALSE(tokenizer->decode(Ids{id}, false));
    EXPECT_FALSE(tokenizer->is_special(id));
    EXPECT_EQ(tokenizer->token_bytes(id), "");
  }
}

TEST(BpeTokenizerTest, TokensAreFoundByTheirText) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  EXPECT_EQ(tokenizer->id_of("<s>"), kBos);
  EXPECT_EQ(tokenizer->id_of("\u0120the"), kThe);
  EXPECT_EQ(tokenizer->id_of("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer->token_bytes(kThe), " the");
  EXPECT_TRUE(tokenizer->is_special(kEos));
}

TEST(BpeTokenizerTest, DecodingUndoesEncoding) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  const unsigned seed = 99;
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {
      "the", " ", "a", "aa", "1", "\n", "\u00E9", "\u65E5", "<s>", "\U0001F642", "'s", "\u0301"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto i = random() % 12; i > 0; --i) text += pieces[random() % pieces.size()];
    EXPECT_EQ(*tokenizer->decode(*tokenizer->encode(text), false), text) << "seed " << seed;
  }
}

}  // namespace
}  // namespace quire
