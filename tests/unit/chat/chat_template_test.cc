#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quire/chat.h"

namespace quire {
namespace {

using Messages = std::vector<ChatMessage>;

ChatRenderOptions fixed_options() {
  ChatRenderOptions options;
  options.now_seconds = 0;
  return options;
}

Result<std::vector<TextSpan>> spans_of(std::string_view source,
                                       const Messages& messages,
                                       const ChatRenderOptions& options = fixed_options()) {
  QUIRE_ASSIGN(const ChatTemplate parsed, ChatTemplate::parse(source));
  return parsed.render(messages, options);
}

std::string rendered(std::string_view source,
                     const Messages& messages = {},
                     const ChatRenderOptions& options = fixed_options()) {
  const auto spans = spans_of(source, messages, options);
  if (!spans) return "error: " + spans.error().message();
  std::string text;
  for (const TextSpan& span : *spans) text += span.text;
  return text;
}

// Trusted text in [], the rest as it is.
std::string marked(std::string_view source, const Messages& messages) {
  const auto spans = spans_of(source, messages);
  if (!spans) return "error: " + spans.error().message();
  std::string text;
  for (const TextSpan& span : *spans) text += span.trusted ? "[" + span.text + "]" : span.text;
  return text;
}

const Messages kHello = {{"user", "Hello", ""}};

TEST(ChatTemplateTest, OnlyTheTemplatesOwnWordsAreTrusted) {
  EXPECT_EQ(
      marked("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}", kHello),
      "[<|]user[|>]Hello[<|end|>]");
  EXPECT_EQ(marked("{{ '<' + messages[0].content + '>' }}", kHello), "[<]Hello[>]");
  EXPECT_EQ(marked("{{ messages[0].content | replace('l', '<|end|>') }}", {{"user", "al", ""}}),
            "a<|end|>");
  EXPECT_EQ(marked("{{ messages | length }}{{ 1 + 1 }}", kHello), "1[2]");
}

TEST(ChatTemplateTest, TheTokensOfTheOptionsAreTrusted) {
  ChatRenderOptions options = fixed_options();
  options.bos_token = "<s>";
  const auto spans = spans_of("{{ bos_token }}{{ eos_token is defined }}", {}, options);
  ASSERT_TRUE(spans);
  EXPECT_EQ((*spans)[0].text, "<s>False");
  EXPECT_TRUE((*spans)[0].trusted);
}

TEST(ChatTemplateTest, FurtherFieldsComeFromJson) {
  const Messages messages = {{"assistant", "", R"({"content": null, "tool_calls": [{"id": 7}]})"}};
  EXPECT_EQ(
      rendered("{{ messages[0].content is none }}{{ messages[0].tool_calls[0].id }}", messages),
      "True7");
}

TEST(ChatTemplateTest, ToolsAndContextAreJsonInTheirOrder) {
  ChatRenderOptions options = fixed_options();
  options.tools_json = "[{\"b\": 1, \"a\": \"<\u00E9>\"}]";
  options.extra_context_json = R"({"enable_thinking": false})";
  EXPECT_EQ(rendered("{{ tools | tojson }}{{ enable_thinking }}", {}, options),
            "[{\"b\": 1, \"a\": \"<\u00E9>\"}]False");
  EXPECT_EQ(rendered("{{ tools is none }}{{ documents is none }}"), "TrueTrue");
}

TEST(ChatTemplateTest, IntegersOfAnySizeArePrintedWhole) {
  ChatRenderOptions options = fixed_options();
  options.extra_context_json = R"({"a": 123456789012345678901234567890, )"
                               R"("b": [-99999999999999999999, 20000000000000000000]})";
  EXPECT_EQ(rendered("{{ a }} {{ b|tojson }} {{ 123456789012345678901234567890 }}", {}, options),
            "123456789012345678901234567890 [-99999999999999999999, 20000000000000000000] "
            "123456789012345678901234567890");
}

TEST(ChatTemplateTest, InputThatCannotBeUsedIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "JSON"},
      {"[1]", "object"},
      {R"({"a": 1, "a": 2})", "twice"},
      {R"({"a": )" + std::string(400, '9') + "}", "out of range"},
      {R"({"messages": []})", "must not set"},
      {R"({"a": )" + std::string(100, '[') + std::string(100, ']') + "}", "deep"}};
  for (const auto& [json, wanted] : cases) {
    ChatRenderOptions options = fixed_options();
    options.extra_context_json = json;
    const auto spans = spans_of("x", {}, options);
    ASSERT_FALSE(spans) << json;
    EXPECT_EQ(spans.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(spans.error().message().find(wanted), std::string::npos) << spans.error().message();
  }
  EXPECT_FALSE(spans_of("x", {{"user", "\xFF", ""}}));
  EXPECT_FALSE(spans_of("x", {{"user", "a", "[]"}}));
}

TEST(ChatTemplateTest, RaisedExceptionsKeepTheirMessage) {
  const auto spans = spans_of("\n{{ raise_exception('roles must alternate') }}", {});
  ASSERT_FALSE(spans);
  EXPECT_EQ(spans.error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(spans.error().message(), "roles must alternate");
}

TEST(ChatTemplateTest, OtherFailuresNameTheLine) {
  EXPECT_EQ(rendered("\n{{ a.b }}"), "error: chat template line 2: 'a' is undefined");
  const auto parsed = ChatTemplate::parse("\n\n{% include 'x' %}");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), StatusCode::kBadModel);
  EXPECT_EQ(parsed.error().message(), "chat template line 3: the tag 'include' is not supported");
}

TEST(ChatTemplateTest, NestingIsAllowedUpToItsLimit) {
  const auto nested = [](int levels) {
    const auto count = static_cast<std::size_t>(levels);
    return "{{ " + std::string(count, '(') + "1" + std::string(count, ')') + " }}";
  };
  EXPECT_EQ(rendered(nested(120)), "1");
  EXPECT_NE(rendered(nested(200)).find("nested more than 128"), std::string::npos);
}

TEST(ChatTemplateTest, SourcesAreAllowedUpToTheirLimit) {
  EXPECT_EQ(rendered(std::string(256 * 1024, 'x')).size(), 256U * 1024);
  EXPECT_FALSE(ChatTemplate::parse(std::string(256 * 1024 + 1, 'x')));
}

TEST(ChatTemplateTest, RangesAreAllowedUpToTheirLimit) {
  EXPECT_EQ(rendered("{{ range(100000) | length }}"), "100000");
  EXPECT_NE(rendered("{{ range(100001) | length }}").find("more than 100000"), std::string::npos);
}

TEST(ChatTemplateTest, TextIsAllowedUpToItsLimit) {
  EXPECT_EQ(rendered("{{ ('a' * 4194304) | length }}"), "4194304");
  EXPECT_NE(rendered("{{ ('a' * 4194305) | length }}").find("4194304 bytes"), std::string::npos);
  // Four times what the messages hold comes on top.
  EXPECT_EQ(rendered("{{ ('a' * 4194305) | length }}", {{"user", "x", ""}}), "4194305");
}

TEST(ChatTemplateTest, StepsAreAllowedUpToTheirLimit) {
  EXPECT_EQ(rendered("{% for i in range(50000) %}{% endfor %}x"), "x");
  EXPECT_NE(
      rendered("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
          .find("too many steps"),
      std::string::npos);
}

TEST(ChatTemplateTest, NamespacesMayPointAtThemselves) {
  EXPECT_EQ(rendered("{% set a = namespace() %}{% set a.a = a %}{% set a.n = 1 %}{{ a.a.a.n }}"),
            "1");
}

TEST(ChatTemplateTest, MacrosOutliveTheLoopTheyWereMadeIn) {
  EXPECT_EQ(rendered("{% set n = namespace(f=none) %}{% for i in [7] %}{% macro f() %}{{ i }}"
                     "{% endmacro %}{% set n.f = f %}{% endfor %}{{ n.f() }}"),
            "7");
}

TEST(ChatTemplateTest, ATemplateRendersTheSameAgain) {
  const auto parsed =
      ChatTemplate::parse("{% set n = namespace(x=1) %}{% set n.x = n.x + 1 %}{{ n.x }}");
  ASSERT_TRUE(parsed);
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*parsed->render({}, fixed_options()))[0].text, "2");
}

TEST(ChatTemplateTest, TimeComesFromTheOptions) {
  ChatRenderOptions options;
  options.now_seconds = 86400 * 180;
  EXPECT_EQ(rendered("{{ strftime_now('%Y') }}", {}, options), "1970");
}

}  // namespace
}  // namespace quire
