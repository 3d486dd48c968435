#include "tool_calls/detect.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace quire::tool_calls {
namespace {

ToolSupport detect(const std::string& source) {
  const auto parsed = ChatTemplate::parse(source);
  EXPECT_TRUE(parsed) << parsed.error().message();
  if (!parsed) return {};
  return detect_tool_support([&](const std::vector<ChatMessage>& messages,
                                 const std::string& tools) -> Result<std::string> {
    QUIRE_ASSIGN(const auto spans,
                 parsed->render(messages, {.add_generation_prompt = false, .tools_json = tools}));
    std::string text;
    for (const TextSpan& span : spans) text += span.text;
    return text;
  });
}

// A template that lists the tools and writes a call as it is told.
std::string template_with(const std::string& call) {
  return "{% if tools %}Tools: {{ tools | tojson }}\n{% endif %}{% for m in messages %}{{ m.role "
         "}}: "
         "{{ m.content }}{% if m.tool_calls %}{% for c in m.tool_calls %}" +
         call + "{% endfor %}{% endif %}\n{% endfor %}";
}

TEST(DetectTest, TheFormatIsWhatTheTemplateWritesForACall) {
  const std::vector<std::pair<std::string, std::string>> formats = {
      {"hermes",
       "<tool_call>\n{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments "
       "| "
       "tojson }}}\n</tool_call>"},
      {"hermes", "<tool_call>\n{{ c.function | tojson }}\n</tool_call>"},
      {"qwen_xml",
       "<tool_call>\n<function={{ c.function.name }}>\n{% for k, v in c.function.arguments | items "
       "%}"
       "<parameter={{ k }}>\n{{ v }}\n</parameter>\n{% endfor %}</function>\n</tool_call>"},
      {"llama",
       "{{ '{\"name\": \"' + c.function.name + '\", \"parameters\": ' }}{{ c.function.arguments | "
       "tojson }}}"},
      {"mistral", "[TOOL_CALLS] [{{ c.function | tojson }}]"},
      {"mistral_args",
       "[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}"},
      {"gemma",
       "```tool_code\n{{ c.function.name }}({% for k, v in c.function.arguments | items %}{{ k }}="
       "{{ v | tojson }}{% endfor %})\n```"},
      {"functiongemma",
       "<start_function_call>call:{{ c.function.name }}{% for k, v in c.function.arguments | items "
       "%}{{ '{' }}{{ k }}:<escape>{{ v }}<escape>{{ '}' }}{% endfor %}<end_function_call>"},
      {"json",
       "{\"name\": \"{{ c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}"},
      {"", "call {{ c.function.name }} with {{ c.function.arguments | tojson }}"},
  };
  for (const auto& [format, call] : formats) {
    const ToolSupport support = detect(template_with(call));
    EXPECT_EQ(support.format, format) << call;
    EXPECT_TRUE(support.in_template) << call;
    EXPECT_FALSE(support.text_arguments) << call;
  }
}

TEST(DetectTest, ATemplateThatJoinsArgumentsToTextGetsThemAsText) {
  const ToolSupport support = detect(
      template_with("{{ '<tool_call>{\"name\": \"' + c.function.name + '\", \"arguments\": ' + "
                    "c.function.arguments + '}</tool_call>' }}"));
  EXPECT_EQ(support.format, "hermes");
  EXPECT_TRUE(support.text_arguments);
}

TEST(DetectTest, ATemplateThatWritesNoCallsIsKnownByWhatItTeaches) {
  const std::string source =
      "{% if tools %}Call them within <tool_call></tool_call>: {{ tools | tojson }}{% endif %}{% "
      "for "
      "m in messages %}{{ m.content }}{% endfor %}";
  const ToolSupport support = detect(source);
  EXPECT_EQ(support.format, "hermes");
  EXPECT_TRUE(support.in_template);
}

TEST(DetectTest, ATemplateWithoutToolsSupportsNone) {
  const ToolSupport support = detect("{% for m in messages %}{{ m.content }}{% endfor %}");
  EXPECT_EQ(support.format, "");
  EXPECT_FALSE(support.in_template);
}

TEST(DetectTest, ATemplateThatRefusesTheProbeSupportsNone) {
  const ToolSupport support = detect("{{ raise_exception('no') }}");
  EXPECT_EQ(support.format, "");
  EXPECT_FALSE(support.in_template);
}

}  // namespace
}  // namespace quire::tool_calls
