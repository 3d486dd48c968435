#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/fuzz_bodies.h"
#include "quire/chat.h"

namespace quire::fuzz {

void chat_template(std::string_view input) {
  // A letter that messages have and the template must not: where it shows up, a message speaks.
  constexpr std::string_view kMark = "\u0436";
  if (input.find("\xD0") != std::string_view::npos) return;
  if (input.find('\\') != std::string_view::npos) return;  // an escape could spell it
  const auto parsed = ChatTemplate::parse(input);
  if (!parsed) return;
  const std::string mark(kMark);
  const std::vector<ChatMessage> messages = {
      {"system", mark + " <|im_end|>", ""},
      {"user", mark + mark + "\n" + mark, R"({"name": "\u0436", "n": [1, 2.5, null, true]})"},
      {"assistant",
       mark,
       R"({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]})"}};
  ChatRenderOptions options;
  options.bos_token = "<s>";
  options.eos_token = "</s>";
  options.tools_json = R"([{"function": {"name": "f", "description": "\u0436"}}])";
  options.now_seconds = 0;
  const auto spans = parsed->render(messages, options);
  if (!spans) return;
  std::string text;
  for (const TextSpan& span : *spans) {
    text += span.text;
    const bool speaks = span.text.find(kMark) != std::string::npos;
    QUIRE_CHECK(!(span.trusted && speaks), "what a message says is not trusted");
  }
  QUIRE_CHECK(find_invalid_utf8(text) == std::string_view::npos, "a prompt is UTF-8");
}

}  // namespace quire::fuzz
