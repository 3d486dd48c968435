#include "tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "unit/tokenizer/tiny_tokenizer.h"

namespace quire {
namespace {

TEST(StreamDecoderTest, HoldsBackUntilACharacterIsWhole) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  StreamDecoder stream(*tokenizer, true);
  EXPECT_EQ(*stream.push('a'), "a");
  EXPECT_EQ(*stream.push(0xE6), "");
  EXPECT_EQ(*stream.push(0x97), "");
  EXPECT_EQ(*stream.push(0xA5), "\u65E5");
  EXPECT_EQ(stream.flush(), "");
}

TEST(StreamDecoderTest, WhatCannotBeCompletedIsReplaced) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  StreamDecoder stream(*tokenizer, true);
  EXPECT_EQ(*stream.push(0xE6), "");
  EXPECT_EQ(*stream.push('b'), "\uFFFDb");
  EXPECT_EQ(*stream.push(0xF0), "");
  EXPECT_EQ(stream.flush(), "\uFFFD");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(*stream.push('c'), "c");
}

TEST(StreamDecoderTest, SpecialTokensAreSkippedInTheMiddleOfACharacter) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  StreamDecoder stream(*tokenizer, true);
  EXPECT_EQ(*stream.push(0xC3), "");
  EXPECT_EQ(*stream.push(kBos), "");
  EXPECT_EQ(*stream.push(0xA9), "\u00E9");
}

TEST(StreamDecoderTest, AnUnknownIdChangesNothing) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  StreamDecoder stream(*tokenizer, true);
  EXPECT_EQ(*stream.push(0xC3), "");
  EXPECT_FALSE(stream.push(9999));
  EXPECT_FALSE(stream.push(-1));
  EXPECT_EQ(*stream.push(0xA9), "\u00E9");
}

TEST(StreamDecoderTest, TextThatContinuesAnotherKeepsItsLeadingSpace) {
  auto file = tiny_tokenizer_json();
  file["pre_tokenizer"] = nullptr;
  file["model"]["vocab"] = {{"\u2581up", 0}, {"on", 1}};
  file["model"]["merges"] = nlohmann::json::array();
  file["added_tokens"][0]["id"] = 2;
  file["added_tokens"][1]["id"] = 3;
  file["decoder"] = nlohmann::json::parse(R"({"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
      {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  const auto tokenizer = make_tokenizer(file);
  StreamDecoder alone(*tokenizer, true);
  EXPECT_EQ(*alone.push(0), "up");
  EXPECT_EQ(*alone.push(0), " up");
  StreamDecoder continuing(*tokenizer, true, true);
  EXPECT_EQ(*continuing.push(2), "");
  EXPECT_EQ(*continuing.push(0), " up");
  EXPECT_EQ(*continuing.push(1), "on");
}

TEST(StreamDecoderTest, PiecesAreUtf8AndTogetherTheWhole) {
  const auto tokenizer = make_tokenizer(tiny_tokenizer_json());
  const unsigned seed = 31;
  std::mt19937 random(seed);
  // Bytes that begin, continue and break characters, merged tokens and special ones.
  const std::vector<TokenId> choices = {'a',
                                        0xC3,
                                        0xA9,
                                        0xE6,
                                        0x97,
                                        0xA5,
                                        0xF0,
                                        0x9F,
                                        0x99,
                                        0x82,
                                        0xED,
                                        0xA0,
                                        0xF4,
                                        0x90,
                                        0xFF,
                                        258,
                                        kBos,
                                        kEos};
  for (int round = 0; round < 5000; ++round) {
    std::vector<TokenId> ids;
    for (auto i = random() % 16; i > 0; --i) ids.push_back(choices[random() % choices.size()]);
    const bool skip_special = random() % 2 == 0;
    StreamDecoder stream(*tokenizer, skip_special);
    std::string text;
    for (const TokenId id : ids) {
      const std::string piece = *stream.push(id);
      ASSERT_EQ(find_invalid_utf8(piece), std::string::npos) << "seed " << seed;
      text += piece;
    }
    text += stream.flush();
    ASSERT_EQ(text, *tokenizer->decode(ids, skip_special)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace quire
