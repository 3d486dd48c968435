#include "chat/lexer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quire::chat {
namespace {

// The tokens of a template, written one after another: text in <>, tags as they are.
std::string shown(const std::string& source) {
  const auto tokens = tokenize_template(source);
  if (!tokens) return "error: " + tokens.error().message();
  std::string out;
  for (const Token& token : *tokens) {
    switch (token.kind) {
      case Token::Kind::kText:
        out += "<" + token.text + ">";
        break;
      case Token::Kind::kOutputBegin:
        out += "{{";
        break;
      case Token::Kind::kOutputEnd:
        out += "}}";
        break;
      case Token::Kind::kBlockBegin:
        out += "{%";
        break;
      case Token::Kind::kBlockEnd:
        out += "%}";
        break;
      case Token::Kind::kString:
        out += "'" + token.text + "'";
        break;
      case Token::Kind::kEnd:
        break;
      default:
        out += token.text + " ";
        break;
    }
  }
  return out;
}

TEST(LexerTest, BlocksTakeTheirLineButOutputsDoNot) {
  EXPECT_EQ(shown("a\n  {% x %}\nb"), "<a\n>{%x %}<b>");
  EXPECT_EQ(shown("a\n  {{ x }}\nb"), "<a\n  >{{x }}<\nb>");
  EXPECT_EQ(shown("a {% x %}\nb"), "<a >{%x %}<b>");
}

TEST(LexerTest, SignsControlWhitespace) {
  EXPECT_EQ(shown("a \n {%- x -%} \n b"), "<a>{%x %}<b>");
  EXPECT_EQ(shown("  {%+ x +%}\nb"), "<  >{%x %}<\nb>");
  EXPECT_EQ(shown("a {{- x -}} b"), "<a>{{x }}<b>");
  EXPECT_EQ(shown("a {#- c -#} b"), "<a><b>");
}

TEST(LexerTest, OneLineBreakAtTheEndDoesNotCount) {
  EXPECT_EQ(shown("a\n"), "<a>");
  EXPECT_EQ(shown("a\r\n\r\n"), "<a\n>");
}

TEST(LexerTest, RawBlocksAreText) {
  EXPECT_EQ(shown("{% raw %}{{ x }}{% endraw %}\ny"), "<{{ x }}><y>");
  EXPECT_EQ(shown("{% raw %}"), "error: chat template line 1: a raw block does not end");
}

TEST(LexerTest, StringsHavePythonsEscapes) {
  EXPECT_EQ(shown(R"({{ 'a\n\x41\u00e9\101\q' }})"), "{{'a\nA\u00E9A\\q'}}");
  EXPECT_NE(shown(R"({{ '\ud800' }})").find("escape"), std::string::npos);
  EXPECT_NE(shown(R"({{ '\x4' }})").find("escape"), std::string::npos);
}

TEST(LexerTest, BracketsMustMatch) {
  EXPECT_EQ(shown("{{ {'a': {}} }}"), "{{{ 'a': { } } }}");
  EXPECT_NE(shown("{{ (] }}").find("unexpected ']'"), std::string::npos);
}

TEST(LexerTest, ErrorsNameTheLine) {
  EXPECT_EQ(shown("a\n\n{{ ` }}"),
            "error: chat template line 3: a character that means nothing in a tag");
  EXPECT_EQ(shown("\n{{ 1"), "error: chat template line 2: a tag does not end");
  EXPECT_EQ(shown("{{ " + std::string(4301, '9') + " }}"),
            "error: chat template line 1: the number " + std::string(40, '9') + "... is too large");
  EXPECT_EQ(shown("\xFF"), "error: the chat template is not UTF-8");
}

}  // namespace
}  // namespace quire::chat
