#include <gtest/gtest.h>

#include <string>

#include "base/hash.h"
#include "base/json.h"
#include "base/system_memory.h"
#include "base/utf8.h"
#include "quire/result.h"

namespace quire {
namespace {

TEST(StatusTest, AMessageStaysOneLineWhateverAFileWroteIntoIt) {
  EXPECT_EQ(bad_model("a\nb\x1b[31m\x7f\u00e9").message(), "a\\nb\\x1b[31m\\x7f\u00e9");
}

TEST(Utf8Test, IllFormedBytesAreReplacedByMaximalSubparts) {
  // The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11.
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(replace_invalid_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\x41");
}

TEST(Utf8Test, EveryCodePointSurvivesARoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(c, &text);
    const DecodedCodePoint decoded = decode_utf8(text, 0);
    ASSERT_TRUE(decoded.ok && decoded.code_point == c && decoded.length == text.size());
  }
}

TEST(Utf8Test, AnUnfinishedCharacterAtTheEndIsSeen) {
  EXPECT_EQ(incomplete_utf8_suffix("a\xF0\x9F\x98"), 3U);
  EXPECT_EQ(incomplete_utf8_suffix("a\xF0\x9F\x98\x80"), 0U);
  EXPECT_EQ(incomplete_utf8_suffix("\xE0\x80"), 0U) << "cannot be completed";
  EXPECT_EQ(incomplete_utf8_suffix("\x80"), 0U);
}

TEST(JsonTest, HostileTextIsRefusedInOneLine) {
  const std::string deep(100000, '[');
  for (const std::string& text : {deep,
                                  std::string("{\"a\":1,\"a\":2}"),
                                  std::string("[1,]"),
                                  std::string("\"\xFF\""),
                                  std::string(""),
                                  std::string("1e999"),
                                  std::string("{} {}"),
                                  std::string("NaN")}) {
    const auto json = parse_json(text, "the text");
    ASSERT_FALSE(json) << text.substr(0, 20);
    EXPECT_EQ(json.error().message().find('\n'), std::string::npos);
  }
}

TEST(HashTest, TheHexDigestIsThatOfTheXxh3Reference) {
  // xxhsum -H2 of no bytes at all.
  EXPECT_EQ(Hasher128().hex_digest(), "99aa06d3014798d86001c324468d497f");
}

TEST(SystemMemoryTest, AMappedRegionIsZeroedAndWritable) {
  const auto region = MemoryRegion::map(1 << 20);
  ASSERT_TRUE(region);
  EXPECT_EQ(region->data()[12345], std::byte{0});
  region->data()[(1 << 20) - 1] = std::byte{1};
  EXPECT_GT(available_memory_bytes(), 0U);
}

TEST(ResultTest, CarriesAValueOrAFailure) {
  const Result<int> good = 3;
  EXPECT_TRUE(good.has_value());
  EXPECT_TRUE(good.error().ok());
  const Result<int> bad = invalid_argument("no");
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().with_context("here").message(), "here: no");
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureEndsTheProgram) {
  const Result<int> bad = invalid_argument("no");
  EXPECT_DEATH(static_cast<void>(*bad), "");
}

}  // namespace
}  // namespace quire
