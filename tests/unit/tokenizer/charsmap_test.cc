#include "tokenizer/charsmap.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace quire {
namespace {

void append_u32(std::uint32_t value, std::string* out) {
  for (int i = 0; i < 4; ++i) *out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

std::string map_of(const std::vector<std::uint32_t>& units, const std::string& replacements) {
  std::string out;
  append_u32(static_cast<std::uint32_t>(4 * units.size()), &out);
  for (const std::uint32_t unit : units) append_u32(unit, &out);
  return out + replacements;
}

// The map of some texts and what stands in for them. Each beginning of a text has 256 units of its
// own for what may come next, so that nothing ever overlaps.
class MapBuilder {
 public:
  MapBuilder() : units_(512, kNowhere) {
    units_[0] = 256U << 10U;
    blocks_[""] = 256;
  }

  void add(const std::string& text, const std::string& replacement) {
    std::uint32_t unit = 0;
    for (std::size_t size = 1; size <= text.size(); ++size) {
      unit = blocks_.at(text.substr(0, size - 1)) ^ static_cast<unsigned char>(text[size - 1]);
      const std::string beginning = text.substr(0, size);
      if (!blocks_.contains(beginning)) {
        blocks_[beginning] = static_cast<std::uint32_t>(units_.size());
        units_.resize(units_.size() + 256, kNowhere);
        units_[unit] =
            (unit ^ blocks_[beginning]) << 10U | static_cast<unsigned char>(text[size - 1]);
      }
    }
    units_[unit] |= 1U << 8U;
    units_[blocks_.at(text)] = static_cast<std::uint32_t>(replacements_.size());
    replacements_ += replacement + '\0';
  }

  [[nodiscard]] std::string bytes() const { return map_of(units_, replacements_); }

 private:
  static constexpr std::uint32_t kNowhere = 1U << 31U;  // no byte is called so
  std::vector<std::uint32_t> units_;
  std::map<std::string, std::uint32_t> blocks_;
  std::string replacements_;
};

Charsmap parsed(const std::string& bytes) {
  auto map = Charsmap::parse(bytes);
  if (!map) throw std::runtime_error(map.error().message());
  return *std::move(map);
}

TrustedText text_of(const std::vector<std::pair<std::string, bool>>& parts) {
  TrustedText out;
  for (const auto& [text, trusted] : parts) out.append(text, trusted);
  return out;
}

std::string normalized(const Charsmap& map, const std::string& text) {
  TextWork work(text.size());
  const auto out = map.normalize(text_of({{text, false}}), &work);
  return out ? out->text : out.error().message();
}

TEST(CharsmapTest, AShortGraphemeIsReplacedAsAWholeAndALongOneByCharacters) {
  MapBuilder builder;
  builder.add("e\u0301", "\u00e9");
  builder.add("\uff21", "A");
  builder.add("!", "");
  const Charsmap map = parsed(builder.bytes());
  EXPECT_EQ(normalized(map, "xe\u0301!\uff21 e"), "x\u00e9A e");
  // The shortest beginning that the map has stands for all of a short grapheme.
  EXPECT_EQ(normalized(map, "\uff21\u0301"), "A");
  EXPECT_EQ(normalized(map, "\uff21\u0301\u0301"), "A\u0301\u0301");
}

TEST(CharsmapTest, NothingIsReplacedAcrossAChangeOfTrust) {
  MapBuilder builder;
  builder.add(">\u0338", "\u226f");
  builder.add("a", "bc");
  const Charsmap map = parsed(builder.bytes());
  TextWork work(100);
  const auto out =
      map.normalize(text_of({{"a>", true}, {"\u0338", false}, {"a>\u0338", true}}), &work);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->text, "bc>\u0338bc\u226f");
  EXPECT_TRUE(out->is_trusted(0, 3));
  EXPECT_TRUE(out->is_untrusted(3, 5));
  EXPECT_TRUE(out->is_trusted(5, 10));
}

TEST(CharsmapTest, ReplacementsThatMakeATextFarTooLongAreRefused) {
  MapBuilder builder;
  builder.add("a", std::string(100000, 'b'));
  EXPECT_NE(normalized(parsed(builder.bytes()), std::string(1000, 'a')).find("too long"),
            std::string::npos);
}

TEST(CharsmapTest, AMapThatIsCutShortOrNoMapIsRefused) {
  const std::string good = map_of({1, 2, 3}, "x");
  EXPECT_TRUE(Charsmap::parse(good));
  for (const std::string& bad : {std::string(),
                                 std::string(3, '\0'),
                                 std::string(4, '\0'),
                                 good.substr(0, 15),
                                 map_of({1, 2, 3}, "\x80"),
                                 std::string("\x05\0\0\0", 4) + std::string(20, 'a'),
                                 std::string(20, '\xff')}) {
    const auto map = Charsmap::parse(bad);
    ASSERT_FALSE(map) << bad.size();
    EXPECT_EQ(map.error().code(), StatusCode::kBadModel);
  }
}

TEST(CharsmapTest, WhateverAForgedTrieSaysTheTextStaysUtf8) {
  const std::string replacements = std::string("a\u00e9\u4e2d\U0001f600") + '\0' + "zz";
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](std::uint32_t limit) {
      return static_cast<std::uint32_t>(random() % limit);
    };
    std::vector<std::uint32_t> units(1 + below(600));
    for (std::uint32_t& unit : units) {
      // Half of them lead somewhere near, so that walks are long.
      unit = below(2) == 0 ? below(~0U) : below(600) << 10U | below(4) << 8U | below(256);
    }
    const Charsmap map = parsed(map_of(units, replacements));
    std::string text;
    for (int i = 0; i < 200; ++i) append_utf8(below(below(2) == 0 ? 0x300 : 0xD800), &text);
    EXPECT_EQ(find_invalid_utf8(normalized(map, text)), std::string_view::npos);
  }
}

}  // namespace
}  // namespace quire
