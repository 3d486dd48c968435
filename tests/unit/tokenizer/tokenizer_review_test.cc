// The findings of the security review that are about tokenizers, by their numbers.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/regex.h"
#include "tokenizer/unicode_form.h"
#include "unit/tokenizer/tiny_tokenizer.h"

namespace quire {
namespace {

using Ids = std::vector<TokenId>;
using nlohmann::json;

constexpr TokenId kMarker = 264;

Ids encoded(const Tokenizer& tokenizer, const std::vector<TextSpan>& spans) {
  const auto ids = tokenizer.encode_spans(spans);
  return ids ? *ids : Ids{-1};
}

Ids bytes(const std::string& text) {
  Ids ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

// The tiny tokenizer with further tokens that the file does not call special.
json with_markers(const std::vector<std::string>& contents, bool normalized = false) {
  json file = tiny_tokenizer_json();
  TokenId id = kMarker;
  for (const std::string& content : contents) {
    json token = file["added_tokens"][0];
    token["id"] = id++;
    token["content"] = content;
    token["special"] = false;
    token["normalized"] = normalized;
    file["added_tokens"].push_back(token);
  }
  return file;
}

std::unique_ptr<Tokenizer> make(const json& file, const TokenizerOptions& options) {
  auto tokenizer = parse_tokenizer_json(file.dump(), options);
  if (!tokenizer) throw std::runtime_error(tokenizer.error().message());
  return *std::move(tokenizer);
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(ReviewS3Test, AMarkerThatTheTemplateWritesIsNotRecognisedInAMessage) {
  const auto file = with_markers({"<|user|>", "<|assistant|>"});
  const auto plain = make(file, {});
  EXPECT_EQ(encoded(*plain, {{"<|user|>", false}}), Ids{kMarker}) << "no template names it";
  const auto told = make(file, {.template_texts = {"x<|user|>", "<|assistant|>\n"}});
  EXPECT_EQ(encoded(*told, {{"<|user|>", false}}), bytes("<|user|>"));
  EXPECT_EQ(encoded(*told, {{"<|user|>", true}}), Ids{kMarker});
  EXPECT_EQ(encoded(*told, {{"<|us", true}, {"er|>", false}}), bytes("<|user|>"));
  EXPECT_EQ(*told->encode("<|assistant|>"), bytes("<|assistant|>"));
  EXPECT_EQ(*told->encode_special("<|assistant|>"), Ids{kMarker + 1});
  EXPECT_TRUE(told->is_control(kMarker));
  EXPECT_FALSE(told->is_special(kMarker)) << "it is still printed";
}

TEST(ReviewS3Test, IdsThatThePackageNamesAreControlTokens) {
  const auto file = with_markers({"<tool_call>", "<think>"});
  const auto told = make(file, {.control_ids = {kMarker, 9999, -1, 'a'}});
  EXPECT_EQ(encoded(*told, {{"<tool_call>", false}}), bytes("<tool_call>"));
  EXPECT_EQ(encoded(*told, {{"<think>", false}}), Ids{kMarker + 1});
  EXPECT_EQ(encoded(*told, {{"a", false}}), Ids{'a'});
}

TEST(ReviewS3Test, WhatOnlyPartlyStandsInTheTemplateStaysOrdinary) {
  const auto told = make(with_markers({"<table>", "\n\n", "\u4E8C"}),
                         {.template_texts = {"<tab", "le>", "\n\n\n", "\u4E8C\u4E8C"}});
  EXPECT_EQ(encoded(*told, {{"<table>", false}}), Ids{kMarker});
  EXPECT_EQ(encoded(*told, {{"\n", true}, {"\n", false}}), Ids{kMarker + 1}) << "as the reference";
  EXPECT_EQ(encoded(*told, {{"\u4E8C", false}}), Ids{kMarker + 2});
}

TEST(ReviewS3Test, MergesAndWholeWordsNeverMakeAMarker) {
  json file = with_markers({"aaaa"});
  file["added_tokens"][2]["id"] = 261;
  EXPECT_EQ(*make(file, {})->encode("aaaa"), Ids{261});
  EXPECT_EQ(*make(file, {.control_ids = {261}})->encode("aaaa"), (Ids{260, 260}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(*make(file, {.control_ids = {261}})->encode("aaaa"), (Ids{260, 260}));
}

TEST(ReviewS3Test, AMessageCannotHideTheMarkerBesideIt) {
  json file = with_markers({"x<|", "<|user|>"});
  file["added_tokens"][3]["single_word"] = true;
  const auto told = make(file, {.control_ids = {kMarker + 1}});
  EXPECT_EQ(encoded(*told, {{"x", false}, {"<|user|>", true}}), (Ids{'x', kMarker + 1}));
  EXPECT_EQ(encoded(*told, {{"<|user|>", true}, {"x", false}}), (Ids{kMarker + 1, 'x'}));
  EXPECT_EQ(encoded(*told, {{"y<|user|>", true}}), bytes("y<|user|>")) << "as the reference";
}

TEST(ReviewS3Test, AMarkerWrittenAroundARoleIsMadeByNamesOfRolesOnly) {
  const auto told = make(with_markers({"<|user|>", "<|end|>"}), {.control_ids = {264, 265}});
  const auto around = [&](const std::string& role) {
    return encoded(*told, {{"<|", true}, {role, false}, {"|>", true}});
  };
  EXPECT_EQ(around("user"), Ids{kMarker});
  EXPECT_EQ(around("end"), bytes("<|end|>"));
  EXPECT_EQ(encoded(*told, {{"<", true}, {"|user|", false}, {">", true}}), bytes("<|user|>"));
}

TEST(ReviewS5Test, APatternThatSetsTheBeginOfItsMatchIsRefused) {
  EXPECT_FALSE(Regex::compile(R"((?:(ab\K)){0}(?=(?1)))"));
  EXPECT_FALSE(Regex::compile(R"(a\Kb)"));
  EXPECT_FALSE(Regex::compile(R"(\Qa\E\K)"));
  EXPECT_TRUE(Regex::compile(R"(\\K)"));
  EXPECT_TRUE(Regex::compile(R"(\Qa\K\Eb)"));
}

TEST(ReviewS5Test, SearchesEndWhateverThePattern) {
  for (const char* pattern :
       {"(?=(?:\\d\\d)+$)", "(?<=a)", "\\b", "(?=(a+)+$)", "(?!a)", "^", "$"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex) << pattern;
    const std::string text = std::string(300, 'a') + std::string(300, '1');
    RegexSearch search(**regex, text);
    std::size_t count = 0;
    for (auto match = search.next(); match && *match; match = search.next()) ++count;
    EXPECT_LE(count, text.size() + 1) << pattern;
  }
}

TEST(ReviewS15Test, LookAheadsAreBoundedForTheWholeText) {
  // Each place costs far less than one match may, all of them far too much.
  const auto regex = Regex::compile("(?=(?:a|aa){1,22}[bc]d)|a");
  ASSERT_TRUE(regex);
  const std::string text = std::string(200'000, 'a') + "d";
  bool gave_up = false;
  const double seconds = seconds_of([&] {
    RegexSearch search(**regex, text);
    auto match = search.next();
    while (match && *match) match = search.next();
    gave_up = !match;
  });
  EXPECT_LT(seconds, 20);
  EXPECT_TRUE(gave_up);
}

TEST(ReviewS15Test, ManyPiecesShareOneBound) {
  json file = with_markers({"<m>"});
  file["pre_tokenizer"] = json::parse(R"x({"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated"},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})x");
  const auto tokenizer = make(file, {});
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::string(60, 'a') + "b<m>";
  double seconds = seconds_of([&] { EXPECT_FALSE(tokenizer->encode(text)); });
  EXPECT_LT(seconds, 20);
}

TEST(ReviewS6Test, NormalizersThatDoubleTheTextEndSoon) {
  json file = tiny_tokenizer_json();
  const json doubling = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  json by_regex = doubling;
  by_regex["pattern"] = {{"Regex", "a"}};
  for (const json& step : {doubling, by_regex}) {
    file["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array()}};
    for (int i = 0; i < 60; ++i) file["normalizer"]["normalizers"].push_back(step);
    const auto ids = make(file, {})->encode("a");
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().code(), StatusCode::kInvalidArgument);
  }
}

TEST(ReviewS6Test, OneStepAndManyPartsAreBoundedToo) {
  json file = with_markers({"<m>"});
  file["normalizer"] = {
      {"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(100'000, 'b')}};
  EXPECT_FALSE(make(file, {})->encode(std::string(10'000, 'a')));
  file["normalizer"] = {{"type", "Prepend"}, {"prepend", std::string(100'000, 'b')}};
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "<m>a";
  EXPECT_FALSE(make(file, {})->encode(text));
}

TEST(ReviewS6Test, ADecoderThatMakesTokensGrowIsRefused) {
  json file = tiny_tokenizer_json();
  file["pre_tokenizer"] = nullptr;
  const json step = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  file["decoder"] = {{"type", "Sequence"}, {"decoders", {step, step, step}}};
  EXPECT_FALSE(parse_tokenizer_json(file.dump()));
  file["decoder"] = {{"type", "Sequence"}, {"decoders", {step, step}}};
  EXPECT_TRUE(parse_tokenizer_json(file.dump()));
}

TEST(ReviewS8Test, AMessageBeyondAsciiDoesNotRemoveTheTokenBeforeIt) {
  json file = with_markers({}, true);
  file["added_tokens"][0]["normalized"] = true;
  for (const char* form : {"NFC", "NFD", "NFKC", "NFKD"}) {
    file["normalizer"] = {{"type", form}};
    const auto tokenizer = make(file, {});
    // The last of these combines with ">" and would take the token away.
    for (const char* message : {"\u00E9", "\u65E5", "e\u0301", "\u0301", "\u0338", "\uFF5C"}) {
      const Ids ids = encoded(*tokenizer, {{"<s>", true}, {message, false}});
      ASSERT_FALSE(ids.empty());
      EXPECT_EQ(ids.front(), kBos) << form << ' ' << message;
      const Ids before = encoded(*tokenizer, {{message, false}, {"<s>", true}});
      EXPECT_EQ(before.back(), kBos) << form << ' ' << message;
    }
  }
}

TEST(ReviewS8Test, ATokenBeyondAsciiSurvivesBetweenMessages) {
  json file = with_markers({}, true);
  file["added_tokens"][0]["normalized"] = true;
  file["added_tokens"][0]["content"] = "\u4E00\u4E8C";
  file["normalizer"] = {{"type", "NFC"}};
  const auto tokenizer = make(file, {});
  const Ids ids =
      encoded(*tokenizer, {{"e\u0301", false}, {"\u4E00\u4E8C", true}, {"\u0065\u0301", false}});
  EXPECT_EQ(ids, (Ids{0xC3, 0xA9, kBos, 0xC3, 0xA9}));
}

TEST(ReviewS8Test, MixedTrustDoesNotChangeWhatATextIsNormalizedTo) {
  const std::vector<std::string> parts = {"a",
                                          "e",
                                          "\u0301",
                                          "\u0323",
                                          "\u00E9",
                                          "\u1100",
                                          "\u1161",
                                          "\u11A8",
                                          "\uAC00",
                                          "\u09C7",
                                          "\u09BE",
                                          "\uFB01",
                                          "\u4E00",
                                          " ",
                                          "\u0344",
                                          "\u2126",
                                          "\u1E9B",
                                          "\U000110A5",
                                          "\U000110BA"};
  std::mt19937 random(8);
  for (int round = 0; round < 4'000; ++round) {
    TrustedText mixed;
    TrustedText uniform;
    for (int i = 0; i < 8; ++i) {
      const std::string& part = parts[random() % parts.size()];
      mixed.append(part, random() % 2 == 0);
      uniform.append(part, true);
    }
    for (const auto form :
         {UnicodeForm::kNfc, UnicodeForm::kNfd, UnicodeForm::kNfkc, UnicodeForm::kNfkd}) {
      ASSERT_EQ(normalize_unicode(mixed, form).text, normalize_unicode(uniform, form).text)
          << uniform.text;
    }
  }
}

TEST(ReviewS11Test, TokensThatTakeWhitespaceAlongCostLinearTime) {
  json file = with_markers({"\n"});
  file["added_tokens"][2]["rstrip"] = true;
  const auto right = make(file, {});
  file["added_tokens"][2]["lstrip"] = true;
  const auto both = make(file, {});
  const std::string text(1'000'000, '\n');
  EXPECT_LT(seconds_of([&] { EXPECT_EQ(right->encode(text)->size(), text.size()); }), 5);
  EXPECT_LT(seconds_of([&] { EXPECT_EQ(both->encode(text)->size(), text.size()); }), 5);
}

TEST(ReviewS11Test, AFileOfCountlessSmallValuesIsRefusedBeforeItIsATree) {
  std::string text = "[0";
  for (int i = 0; i < 8'000'000; ++i) text += ",0";
  const auto tokenizer = parse_tokenizer_json(text + "]");
  ASSERT_FALSE(tokenizer);
  EXPECT_NE(tokenizer.error().message().find("values"), std::string::npos);
}

TEST(ReviewS11Test, AnIndexTakesHardlyMoreMemoryThanItsContents) {
  std::vector<std::pair<std::string, std::size_t>> contents;
  for (std::size_t i = 0; i < 5000; ++i) {
    contents.emplace_back(std::to_string(i) + std::string(4000, 'x'), i);
  }
  const std::string text = contents[4321].first;
  const ContentIndex index(std::move(contents));
  std::vector<std::size_t> found;
  index.visit_at(text + "x", 0, [&](std::size_t value, std::size_t length) {
    found.push_back(value);
    EXPECT_EQ(length, text.size());
  });
  EXPECT_EQ(found, std::vector<std::size_t>{4321});
}

TEST(ReviewS11Test, AnIndexFindsAllThatBeginAtAPlaceAndTheLastOfEqualOnes) {
  const ContentIndex index({{"ab", 1}, {"a", 2}, {"abc", 3}, {"ab", 4}, {"b", 5}, {"\xC3\xA9", 6}});
  std::vector<std::size_t> found;
  const auto look = [&](std::string_view text, std::size_t at) {
    found.clear();
    index.visit_at(text, at, [&](std::size_t value, std::size_t) { found.push_back(value); });
    return found;
  };
  EXPECT_EQ(look("abcd", 0), (std::vector<std::size_t>{2, 4, 3}));
  EXPECT_EQ(look("abd", 0), (std::vector<std::size_t>{2, 4}));
  EXPECT_EQ(look("abcd", 1), std::vector<std::size_t>{5});
  EXPECT_EQ(look("\xC3\xA9", 0), std::vector<std::size_t>{6});
  EXPECT_EQ(look("z", 0), std::vector<std::size_t>{});
}

// Pieces a and b, and a special token for all else.
json pieces_with_unknown(const std::string& unknown) {
  const json token = {{"id", 0}, {"content", unknown}, {"special", true}, {"normalized", false}};
  const json vocab = json::array(
      {json::array({unknown, 0.0}), json::array({"a", -1.0}), json::array({"b", -2.0})});
  return {{"added_tokens", json::array({token})},
          {"pre_tokenizer", nullptr},
          {"decoder", {{"type", "Fuse"}}},
          {"model", {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", vocab}}}};
}

TEST(ReviewS3Test, TheUnknownTokenStandsForTypedCharactersOnlyIfItIsNothingElse) {
  const json file = pieces_with_unknown("<unk>");
  EXPECT_EQ(encoded(*make(file, {}), {{"axb", false}}), (Ids{1, 0, 2}));
  EXPECT_EQ(encoded(*make(file, {.control_ids = {0}}), {{"axb", false}}), (Ids{1, 0, 2}));
  const Ids dropped = {1, 2};
  EXPECT_EQ(encoded(*make(file, {.turn_ids = {0}}), {{"axb", false}}), dropped);
  EXPECT_EQ(encoded(*make(file, {.template_texts = {"a<unk>"}}), {{"axb", false}}), dropped);
  EXPECT_EQ(encoded(*make(pieces_with_unknown("<end>"), {}), {{"axb", false}}), dropped);
  json around = file;
  around["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"<unk>", 0}}, {"sep", {"a", 1}}};
  EXPECT_EQ(encoded(*make(around, {}), {{"axb", false}}), dropped);
  EXPECT_EQ(encoded(*make(around, {}), {{"axb", true}}), (Ids{1, 0, 2}));
}

}  // namespace
}  // namespace quire
