#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "quire/chat.h"

namespace quire {
namespace {

std::string rendered(std::string_view source, const std::string& content_json, bool join = true) {
  const auto parsed = ChatTemplate::parse(source);
  if (!parsed) return parsed.error().message();
  const std::vector<ChatMessage> messages = {{"user", "", R"({"content": )" + content_json + "}"}};
  const auto spans = parsed->render(messages, {.join_text_parts = join});
  if (!spans) return "error: " + spans.error().message();
  std::string text;
  for (const TextSpan& span : *spans) text += span.text;
  return text;
}

constexpr const char* kParts = R"([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])";

TEST(ContentPartsTest, TextsAreJoinedWhereATemplateWantsAString) {
  for (const char* source :
       {"{{ messages[0].content }}",
        "{{ '' + messages[0]['content'] }}",
        "{% for m in messages %}{{ m.content | trim }}{% endfor %}",
        "{% set c = messages[0].content %}{{ c.split('x')[0] }}",
        "{% set content = messages[0].content %}{{ content }}",
        "{% if messages[0].content is string %}{{ messages[0].content }}{% endif %}"}) {
    EXPECT_EQ(rendered(source, kParts), "a\nb") << source;
  }
  EXPECT_EQ(rendered("{{ messages[0].content }}", R"(["a", {"text": "b"}])"), "a\nb");
  EXPECT_EQ(rendered("{{ messages[0].content is none }}", "null"), "True");
  EXPECT_EQ(rendered("{{ messages[0].content }}", R"("plain")"), "plain");
}

TEST(ContentPartsTest, WithoutTheOptionAListIsPrintedAsJinjaPrintsIt) {
  EXPECT_EQ(rendered("{{ messages[0].content }}", R"([{"type": "image"}])", false),
            "[{'type': 'image'}]");
}

TEST(ContentPartsTest, ATemplateThatTakesPartsGetsThem) {
  for (const char* source :
       {"{% for p in messages[0].content %}{{ p.text }}{% endfor %}",
        "{% for m in messages %}{% for p in m['content'] if p.type == 'text' %}{{ p.text }}{% "
        "endfor %}"
        "{% endfor %}",
        "{% set c = messages[0].content or [] %}{% for p in c %}{{ p.text }}{% endfor %}",
        "{% macro r(content) %}{% if content is string %}{{ content }}{% else %}{% for p in "
        "content %}"
        "{{ p.text }}{% endfor %}{% endif %}{% endmacro %}{{ r(messages[0].content) }}",
        "{{ messages[0].content[0].text }}b",
        "{{ messages[0].content | map(attribute='text') | join }}",
        "{{ messages[0].content | selectattr('type', 'eq', 'text') | list | length }}b"}) {
    const std::string text = rendered(source, kParts);
    EXPECT_TRUE(text == "ab" || text == "2b") << source << ": " << text;
  }
}

TEST(ContentPartsTest, APartThatIsNoTextIsRefusedInALineThatSaysWhatToDo) {
  for (const char* parts :
       {R"([{"type": "image_url", "image_url": {"url": "x"}}])", R"([{"type": "text"}])", "[1]"}) {
    const std::string text = rendered("{{ messages[0].content }}", parts);
    EXPECT_NE(text.find("is no text"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace quire
