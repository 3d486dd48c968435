#include "tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "unit/tokenizer/tiny_tokenizer.h"

namespace quire {
namespace {

using nlohmann::json;

// The message of a refusal; fails the test when there is none or it has more than one line.
std::string refusal(const json& file) {
  const auto tokenizer = parse_tokenizer_json(file.dump());
  EXPECT_FALSE(tokenizer.has_value());
  EXPECT_EQ(tokenizer.error().code(), StatusCode::kBadModel);
  EXPECT_EQ(tokenizer.error().message().find('\n'), std::string::npos);
  return tokenizer.error().message();
}

bool names(const std::string& message, const std::string& what) {
  return message.find(what) != std::string::npos;
}

TEST(TokenizerJsonTest, MergesMayBeStringsOrPairs) {
  json file = tiny_tokenizer_json();
  for (json& merge : file["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  EXPECT_EQ(*make_tokenizer(file)->encode(" the"), std::vector<TokenId>{258});
}

TEST(TokenizerJsonTest, TheTemplateStandsAroundSpecialTextOnly) {
  json file = tiny_tokenizer_json();
  file["post_processor"] = json::parse(R"({"type": "Sequence", "processors": [
      {"type": "ByteLevel"},
      {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}},
                  {"SpecialToken": {"id": "</s>"}}],
       "special_tokens": {"<s>": {"ids": [262]}, "</s>": {"ids": [263]}}}]})");
  const auto tokenizer = make_tokenizer(file);
  EXPECT_EQ(*tokenizer->encode_special("a"), (std::vector<TokenId>{kBos, 'a', kEos}));
  EXPECT_EQ(*tokenizer->encode("a"), (std::vector<TokenId>{'a'}));
  file["post_processor"]["processors"][1]["special_tokens"]["<s>"]["ids"] = {264};
  EXPECT_TRUE(names(refusal(file), "264"));
}

TEST(TokenizerJsonTest, UnknownComponentsAreRefusedByName) {
  const std::vector<std::string> parts = {
      "normalizer", "pre_tokenizer", "post_processor", "decoder"};
  for (const std::string& part : parts) {
    json file = tiny_tokenizer_json();
    file[part] = {{"type", "Strange"}};
    const std::string message = refusal(file);
    EXPECT_TRUE(names(message, part) && names(message, "Strange")) << message;
  }
  json file = tiny_tokenizer_json();
  file["model"]["type"] = "Unigram";
  EXPECT_TRUE(names(refusal(file), "Unigram"));
}

TEST(TokenizerJsonTest, PatternsAndBehaviorsThatAreNoneAreRefusedByName) {
  json file = tiny_tokenizer_json();
  const json byte_level = file["pre_tokenizer"];
  const json split = {{"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{"Regex", "(a+"}}}};
  file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}};
  EXPECT_TRUE(names(refusal(file), "(a+"));
  file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = R"(\p{N}{1,3})";
  EXPECT_EQ(make_tokenizer(file)->encode("1234")->size(), 3U);
  file["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Shuffled";
  EXPECT_TRUE(names(refusal(file), "Shuffled"));
}

TEST(TokenizerJsonTest, WordsAndTextAreSpelledInBytesOrInCharacters) {
  json file = tiny_tokenizer_json();
  const json byte_level = file["pre_tokenizer"];
  file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {byte_level, byte_level}}};
  EXPECT_TRUE(names(refusal(file), "ByteLevel must be the last"));
  for (const json& other : {json({{"type", "Digits"}}), json(nullptr)}) {
    file["pre_tokenizer"] = other;
    EXPECT_TRUE(names(refusal(file), "must both be ByteLevel"));
  }
}

TEST(TokenizerJsonTest, IdsMustBeDistinctIntegersInRange) {
  for (const json& id : {json(-1), json(1 << 21), json("1"), json(1.5), json(nullptr)}) {
    json file = tiny_tokenizer_json();
    file["model"]["vocab"]["new"] = id;
    refusal(file);
  }
  json file = tiny_tokenizer_json();
  file["model"]["vocab"]["new"] = 5;
  EXPECT_TRUE(names(refusal(file), "two tokens have the id 5"));
  file = tiny_tokenizer_json();
  file["added_tokens"][0]["id"] = 5;
  EXPECT_TRUE(names(refusal(file), "two tokens have the id 5"));
  file = tiny_tokenizer_json();
  file["added_tokens"][0]["content"] = "a";
  refusal(file);
}

TEST(TokenizerJsonTest, MergesMustBeOfKnownTokens) {
  for (const json& merge : {json("a"),
                            json("a b c"),
                            json({"a"}),
                            json({"a", 1}),
                            json("a zz"),
                            json("z z"),
                            json(7)}) {
    json file = tiny_tokenizer_json();
    file["model"]["merges"].push_back(merge);
    EXPECT_TRUE(names(refusal(file), "merges[6]"));
  }
}

TEST(TokenizerJsonTest, ASingleByteCannotBeASpecialToken) {
  json file = tiny_tokenizer_json();
  file["added_tokens"][0]["id"] = 'a';
  file["added_tokens"][0]["content"] = "a";
  EXPECT_TRUE(names(refusal(file), "single byte"));
}

TEST(TokenizerJsonTest, OptionsThatChangeTokensAreRefused) {
  const std::vector<std::pair<std::string, json>> options = {{"dropout", 0.1},
                                                             {"end_of_word_suffix", "</w>"},
                                                             {"continuing_subword_prefix", "##"},
                                                             {"unk_token", "nowhere"},
                                                             {"ignore_merges", 1}};
  for (const auto& [name, value] : options) {
    json file = tiny_tokenizer_json();
    file["model"][name] = value;
    EXPECT_TRUE(names(refusal(file), name));
  }
}

TEST(TokenizerJsonTest, EveryFieldMayBeOfAnyTypeAndNothingBreaks) {
  const json whole = tiny_tokenizer_json();
  const std::vector<json> others = {nullptr, 1, "x", json::array(), json::object(), true, {{{}}}};
  for (const auto& [name, value] : whole.items()) {
    for (const json& other : others) {
      json file = whole;
      file[name] = other;
      (void)parse_tokenizer_json(file.dump());
    }
    if (!value.is_object()) continue;
    for (const auto& [inner, unused] : value.items()) {
      for (const json& other : others) {
        json file = whole;
        file[name][inner] = other;
        (void)parse_tokenizer_json(file.dump());
      }
    }
  }
}

TEST(TokenizerJsonTest, TextThatIsNoJsonIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string(100000, '[')}) {
    const auto tokenizer = parse_tokenizer_json(text);
    ASSERT_FALSE(tokenizer);
    EXPECT_EQ(tokenizer.error().code(), StatusCode::kBadModel);
  }
}

TEST(TokenizerJsonTest, LoadingNamesTheFile) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "quire_tokenizer_json_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "tokenizer.json") << tiny_tokenizer_json().dump();
  EXPECT_TRUE(load_tokenizer(folder));
  std::ofstream(folder / "tokenizer.json") << "{}";
  const auto broken = load_tokenizer(folder);
  ASSERT_FALSE(broken);
  EXPECT_TRUE(names(broken.error().message(), "tokenizer.json"));
  std::filesystem::remove_all(folder);
  const auto missing = load_tokenizer(folder);
  ASSERT_FALSE(missing);
  EXPECT_TRUE(names(missing.error().message(), "tokenizer.json"));
}

}  // namespace
}  // namespace quire
