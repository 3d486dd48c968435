#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "quire/chat.h"

namespace quire {
namespace {

std::vector<std::string> own_texts(std::string_view source) {
  const auto parsed = ChatTemplate::parse(source);
  return parsed ? parsed->own_texts() : std::vector<std::string>{parsed.error().message()};
}

bool writes(std::string_view source, std::string_view marker) {
  const auto texts = own_texts(source);
  return std::ranges::any_of(
      texts, [&](const std::string& text) { return text.find(marker) != std::string::npos; });
}

TEST(ReviewS3Test, TextsOfATemplateAreFoundWhereverTheyStand) {
  EXPECT_TRUE(writes("a<|x|>b", "<|x|>"));
  EXPECT_TRUE(writes("{{ '<|x|>' + y }}", "<|x|>"));
  EXPECT_TRUE(writes("{% set y = ['a', {'k': '<|x|>'}] %}", "<|x|>"));
  EXPECT_TRUE(writes("{% if a %}{% elif b == '<|x|>' %}{% endif %}", "<|x|>"));
  EXPECT_TRUE(writes("{% if a %}{% else %}<|x|>{% endif %}", "<|x|>"));
  EXPECT_TRUE(writes("{% for m in l if m != '<|x|>' %}{% endfor %}", "<|x|>"));
  EXPECT_TRUE(writes("{% for m in l %}{% else %}<|x|>{% endfor %}", "<|x|>"));
  EXPECT_TRUE(writes("{% macro f(a='<|x|>') %}{% endmacro %}", "<|x|>"));
  EXPECT_TRUE(writes("{% macro f() %}<|x|>{% endmacro %}", "<|x|>"));
  EXPECT_TRUE(writes("{% with a='<|x|>' %}{% endwith %}", "<|x|>"));
  EXPECT_TRUE(writes("{% filter replace('a', '<|x|>') %}{% endfilter %}", "<|x|>"));
  EXPECT_TRUE(writes("{{ f(a, k=b.c['<|x|>'] | default('y')) }}", "<|x|>"));
  EXPECT_TRUE(writes("{{ l[1:f('<|x|>')] is in ['a'] }}", "<|x|>"));
  EXPECT_TRUE(
      writes("{% generation %}{{ not -('<|x|>' if a else b) }}{% endgeneration %}", "<|x|>"));
  EXPECT_FALSE(writes("{# <|x|> #}{{ x }}", "<|x|>"));
}

TEST(ReviewS3Test, TextsBesideEachOtherAreOne) {
  EXPECT_TRUE(writes("<|{{ 'x' }}|>", "<|x|>"));
  EXPECT_TRUE(writes("{{ '<|' ~ 'x' + '|>' }}", "<|x|>"));
  EXPECT_TRUE(writes("<|{# c #}x|>", "<|x|>"));
  EXPECT_FALSE(writes("<|{{ y }}x|>", "<|x|>"));
  EXPECT_FALSE(writes("<|{% if a %}x|>{% endif %}", "<|x|>"));
}

TEST(ReviewS3Test, ARoleBetweenTextsStandsForEveryNameOfOne) {
  for (const char* source :
       {"<|{{ m.role }}|>", "{{ '<|' + m['role'] + '|>' }}", "<|{{ role }}|>"}) {
    EXPECT_TRUE(writes(source, "<|user|>")) << source;
    EXPECT_TRUE(writes(source, "<|assistant|>")) << source;
    EXPECT_FALSE(writes(source, "<|end|>")) << source;
  }
}

}  // namespace
}  // namespace quire
