// The findings of the security review that are about templates, by their numbers.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "chat/text.h"
#include "chat/text_search.h"
#include "quire/chat.h"

namespace quire {
namespace {

using chat::TextSearch;

std::string failure_of(const std::string& source) {
  const auto parsed = ChatTemplate::parse(source);
  if (!parsed) return parsed.error().message();
  const auto spans = parsed->render({}, {});
  return spans ? "" : spans.error().message();
}

TEST(ReviewS7Test, LongNeedlesAreFoundInLinearTime) {
  const std::string needle = std::string(200'000, 'a') + "b";
  const std::string text(400'000, 'a');
  const TextSearch search(needle);
  EXPECT_EQ(search.find(text), std::string::npos);
  EXPECT_EQ(search.find_last(text, text.size()), std::string::npos);
  EXPECT_EQ(search.find(text + "b"), 200'000U);
  EXPECT_EQ(search.count(text + "b" + text + "b", SIZE_MAX), 2U);
  EXPECT_EQ(TextSearch("b" + std::string(200'000, 'a')).find_last("b" + text, text.size() + 1), 0U);
}

TEST(ReviewS7Test, SearchFindsWhatTheStandardLibraryFinds) {
  // All texts of two letters, with needles that repeat themselves and are long enough for the
  // table.
  for (unsigned bits = 0; bits < 4096; ++bits) {
    std::string text;
    for (unsigned i = 0; i < 12; ++i) text += std::string(3, (bits >> i & 1U) != 0 ? 'a' : 'b');
    for (const char* needle :
         {"aaabbbaaabbbaaabbb", "aaaaaaaaaaaaaaaaaa", "bbbbbbbbbaaaaaaaaabbb", "ab"}) {
      const TextSearch search(needle);
      ASSERT_EQ(search.find(text), text.find(needle)) << text;
      ASSERT_EQ(search.find(text, 5), text.find(needle, 5)) << text;
      ASSERT_EQ(search.find_last(text, text.size()), text.rfind(needle)) << text;
      ASSERT_EQ(search.find_last(text, 30), text.substr(0, 30).rfind(needle)) << text;
    }
  }
}

TEST(ReviewS7Test, WorkIsPaidForBeforeItIsDone) {
  const std::string big = "{% set t = 'a'*4000000 %}";
  for (const std::string source :
       {"{% for i in range(2000) %}{% set a=[1]|batch(100000,'x') %}{% endfor %}",
        "{% for i in range(2000) %}{% set a=[1]|slice(100000,'x') %}{% endfor %}",
        "{{ 'a'|center(10**15) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:>9999999999}'.format(1) }}",
        "{{ ('\\t'*4000000).expandtabs(1000) }}",
        "{{ ('a'*2000000).replace('', 'b'*1000) }}"}) {
    EXPECT_NE(failure_of(source), "") << source;
  }
  for (const char* use : {"([t]*10000)|sort|length",
                          "([t]*10000)|map('upper')|list|length",
                          "([{'a': t}]*10000)|groupby('a')|length"}) {
    EXPECT_NE(failure_of(big + "{{ " + use + " }}"), "") << use;
  }
  EXPECT_NE(failure_of("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"), "");
}

TEST(ReviewS7Test, LookingNamesUpIsPaidFor) {
  std::string names;
  for (int i = 0; i < 8000; ++i) names += "{% set v" + std::to_string(i) + " = 1 %}";
  EXPECT_NE(failure_of(names + "{% for i in range(99999) %}{{ z }}{% endfor %}"), "");
}

}  // namespace
}  // namespace quire
