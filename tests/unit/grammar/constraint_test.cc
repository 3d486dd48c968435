#include "grammar/constraint.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "unit/grammar/accepts.h"

namespace quire::grammar {
namespace {

std::string regex(const std::string& pattern, std::string_view text) {
  return judge(StructuredOutput::regex(pattern), text);
}

std::string gbnf(const std::string& grammar, std::string_view text) {
  return judge(StructuredOutput::grammar(grammar), text);
}

TEST(Regex, MatchesTheWholeText) {
  EXPECT_EQ(regex("ab?c*", "a"), "yes");
  EXPECT_EQ(regex("ab?c*", "abccc"), "yes");
  EXPECT_EQ(regex("ab?c*", "abb"), "no");
  EXPECT_EQ(regex("^(?:cat|dog)s?$", "dogs"), "yes");
  EXPECT_EQ(regex("[^a-c\\d]{2,3}", "xyz"), "yes");
  EXPECT_EQ(regex("[^a-c\\d]{2,3}", "x1"), "no");
  EXPECT_EQ(regex(".", "\n"), "no");
}

TEST(Regex, ReadsCharactersAndNotBytes) {
  EXPECT_EQ(regex(".{2}", "h\xC3\xA9"), "yes");
  EXPECT_EQ(regex(".", "\xC3"), "no");
  EXPECT_EQ(regex("[\\u00e0-\\u00ff]", "\xC3\xA9"), "yes");
  EXPECT_EQ(regex("\\w\\d", "\xC3\xA9\xD9\xA3"), "yes");  // as Python's: all scripts
}

TEST(Regex, CountsWithoutUnrolling) {
  EXPECT_EQ(regex("a{20000}", std::string(20000, 'a')), "yes");
  EXPECT_EQ(regex("a{1000000}", std::string(200, 'a')), "no");
  EXPECT_EQ(regex("a{3,5}", "aa"), "no");
  EXPECT_EQ(regex("(a{2}){2,}", "aaaaaa"), "yes");
  EXPECT_EQ(regex("(a{2}){2,}", "aaaaa"), "no");
  EXPECT_EQ(regex("(a?){3}", "aa"), "yes");
  EXPECT_EQ(regex("(a|aa){2,3}b", "aaaaab"), "yes");
  EXPECT_EQ(regex("(a*){0,2}b", "aaaab"), "yes");
}

TEST(Regex, AnchorsInTheMiddleHold) {
  EXPECT_EQ(regex("(a|^)b", "b"), "yes");
  EXPECT_EQ(regex("(a|^)b", "ab"), "yes");
  EXPECT_NE(regex("a^b", "ab"), "yes");
}

TEST(Regex, WhatIsNotRegularOrNotHereIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"(?=a)b", "lookaround"},
                                                                  {"(a)\\1", "backreference"},
                                                                  {"\\bword", "\\b"},
                                                                  {"a*+", "possessive"},
                                                                  {"(?i)a", "(?i)"},
                                                                  {"(a", "without its )"},
                                                                  {"a)", "without its ("},
                                                                  {"*a", "repetition of nothing"},
                                                                  {"[b-a]", "range"},
                                                                  {"[a", "without its ]"},
                                                                  {"a{3,2}", "exchanged"}};
  for (const auto& [pattern, words] : cases) {
    const std::string why = why_refused(StructuredOutput::regex(pattern));
    EXPECT_NE(why.find(words), std::string::npos) << pattern << ": " << why;
  }
}

TEST(Gbnf, ReadsTheDialectOfLlamaCpp) {
  const std::string arithmetic =
      "# sums\nroot ::= expr \"=\" [0-9]+\nexpr ::= term (\n  [-+*/] term )*\n"
      "term ::= \"(\" expr \")\" | [0-9]{1,3} |\n  \"x\"";
  EXPECT_EQ(gbnf(arithmetic, "1+(2*x)=7"), "yes");
  EXPECT_EQ(gbnf(arithmetic, "1+(2*x=7"), "no");
  EXPECT_EQ(gbnf(arithmetic, "1234=7"), "no");
  EXPECT_EQ(gbnf("root ::= \"\\u00e9\" . [^\\n]", "\xC3\xA9zz"), "yes");
  EXPECT_EQ(gbnf("root ::= \"a\"*", ""), "yes");
  EXPECT_EQ(gbnf("root ::= \"a\" root | \"b\"", "aaab"), "yes");
}

TEST(Gbnf, SaysWhereItIsWrong) {
  const auto why = [](const std::string& text) {
    return why_refused(StructuredOutput::grammar(text));
  };
  EXPECT_NE(why("root ::= x").find("line 1: the rule x is not defined"), std::string::npos);
  EXPECT_NE(why("root ::= \"a\n").find("expected a \""), std::string::npos);
  EXPECT_NE(why("a ::= \"a\"").find("no rule named root"), std::string::npos);
  EXPECT_NE(why("root ::= root \"a\" | \"b\"").find("left-recursive"), std::string::npos);
  EXPECT_NE(why("root ::= a* b\na ::= b?\nb ::= root").find("matches no text"), std::string::npos);
  EXPECT_NE(why("root ::= x? root \"a\" | \"b\"\nx ::= \"x\"").find("left-recursive"),
            std::string::npos);
  EXPECT_NE(why("root ::= \"a\" root").find("matches no text"), std::string::npos);
}

TEST(Constraint, PiecesComposeWithTokens) {
  using Kind = StructuredOutput::Kind;
  const StructuredOutput call{.kind = Kind::kSequence,
                              .parts = {{.kind = Kind::kToken, .token = 3},
                                        {.kind = Kind::kText, .text = "x"},
                                        {.kind = Kind::kRepeat,
                                         .parts = {StructuredOutput::choice({"ab", "b"})},
                                         .min_times = 1,
                                         .max_times = 2}}};
  const auto vocabulary = std::make_shared<const Vocabulary>(
      std::vector<std::string>{"a", "b", "x", "", "xa"}, std::vector<std::string>(), 5);
  const auto constraint = compile_constraint(call, vocabulary);
  ASSERT_TRUE(constraint) << constraint.error().message();
  const auto automaton = std::make_shared<Automaton>(
      (*constraint)->program(), (*constraint)->vocabulary(), (*constraint)->limits());
  Matcher matcher(*constraint, automaton, false);
  EXPECT_EQ((*matcher.mask())[0], 1U << 3U);
  EXPECT_FALSE(matcher.push(2));
  ASSERT_TRUE(matcher.push(3));
  EXPECT_EQ((*matcher.mask())[0], (1U << 2U) | (1U << 4U));
  ASSERT_TRUE(matcher.push(4));
  ASSERT_TRUE(matcher.push(1));
  EXPECT_TRUE(matcher.may_end());
  EXPECT_FALSE(matcher.must_end());
  ASSERT_TRUE(matcher.push(1));
  EXPECT_TRUE(matcher.must_end());
}

TEST(Constraint, HostileOnesAreRefusedOrCheap) {
  std::string deep(100, '(');
  std::string schema = "{}";
  for (int i = 0; i < 40; ++i) schema = R"({"items":)" + schema + "}";
  std::string wide = R"({"allOf":[)";
  for (int i = 0; i < 20; ++i) {
    wide += R"({"anyOf":[{"minLength":)" + std::to_string(i) + R"(},{"maxLength":)" +
            std::to_string(i + 50) + "}]},";
  }
  wide += "{}]}";
  const std::vector<StructuredOutput> refused = {
      StructuredOutput::regex(deep),
      StructuredOutput::regex("a{99999999999}"),
      StructuredOutput::json_schema(schema + std::string(100, ' ')),
      StructuredOutput::json_schema(wide),
      StructuredOutput::json_schema(R"({"pattern":"(.*a){12}.{12}$", "maxLength": 9000})"),
      StructuredOutput::json_schema(R"({"$ref":"#"})"),
      StructuredOutput::json_schema(R"({"$ref":"https://example.org/x.json"})"),
      StructuredOutput::json_schema(std::string(70'000, ' ')),
      StructuredOutput::choice(std::vector<std::string>(2000, "a")),
      StructuredOutput::choice({}),
  };
  for (const StructuredOutput& output : refused) {
    const auto begin = std::chrono::steady_clock::now();
    const std::string why = why_refused(output);
    const auto took = std::chrono::steady_clock::now() - begin;
    if (output.text.find("items") == std::string::npos) {
      EXPECT_NE(why, "") << output.text.substr(0, 60);
    }
    EXPECT_EQ(why.find('\n'), std::string::npos);
    EXPECT_LT(std::chrono::duration<double>(took).count(), 60) << output.text.substr(0, 60);
  }
}

TEST(Constraint, ATextThatIsAtTooManyPlacesIsGivenUpAndNotWrong) {
  const auto output = StructuredOutput::regex("(x{0,3000}y?){0,3000}");
  const Result<Program> program = compile_output(output);
  ASSERT_TRUE(program);
  const Vocabulary vocabulary({"x", "y"}, {}, 2);
  Automaton automaton(*program, vocabulary, {});
  StateId state = automaton.start();
  for (int i = 0; i < 3000 && state >= 0; ++i) state = automaton.step(state, 'x');
  EXPECT_EQ(state, Automaton::kTooMany);
}

}  // namespace
}  // namespace quire::grammar
