#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "grammar/constraint.h"

namespace quire::grammar {
namespace {

std::uint64_t test_seed() {
  const char* given = std::getenv("QUIRE_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

const std::vector<StructuredOutput>& constraints() {
  static const std::vector<StructuredOutput> kAll = {
      StructuredOutput::json_object(),
      StructuredOutput::json_schema(
          R"({"type":"object","properties":{"a":{"type":"string","maxLength":6},)"
          R"("b":{"type":"array","items":{"type":"number"}}}})"),
      StructuredOutput::json_schema(R"({"type":"string","pattern":"^[a-c]{0,9}\"?$"})"),
      StructuredOutput::regex("([ab]{2,40}|\\w+ ?)*"),
      StructuredOutput::grammar("root ::= \"a\" root \"b\" | [0-9]{1,30} | \"\\\"\""),
      StructuredOutput::choice({"aaa", "aab", "b"})};
  return kAll;
}

std::vector<std::string> random_tokens(std::mt19937_64* random) {
  const std::string letters = "abc019 {}[]:,\".-e\\un\n\xC3\xA9";
  std::vector<std::string> tokens;
  // Every byte, so that whatever has begun can go on.
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (int i = 0; i < 200; ++i) {
    std::string token;
    const auto length = 1 + (*random)() % 6;
    for (std::size_t j = 0; j < length; ++j) token += letters[(*random)() % letters.size()];
    tokens.push_back(token);
  }
  tokens.emplace_back();  // a control token
  return tokens;
}

// A mask has exactly the tokens whose bytes the automaton takes, one after another.
TEST(Mask, HasTheTokensThatFitAndNoOther) {
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  const auto tokens = random_tokens(&random);
  const auto size = static_cast<int>(tokens.size());
  const auto vocabulary =
      std::make_shared<const Vocabulary>(tokens, std::vector<std::string>(), size);
  for (const StructuredOutput& output : constraints()) {
    const auto constraint = compile_constraint(output, vocabulary);
    ASSERT_TRUE(constraint) << constraint.error().message();
    // A small memory, so that the automaton forgets what it knows many times.
    Limits limits;
    limits.automaton_bytes = 200'000;
    const auto automaton =
        std::make_shared<Automaton>((*constraint)->program(), *vocabulary, limits);
    Automaton other((*constraint)->program(), *vocabulary, {});
    for (int walk = 0; walk < 20; ++walk) {
      Matcher matcher(*constraint, automaton, false);
      StateId state = other.start();
      for (int step = 0; step < 30 && !matcher.must_end(); ++step) {
        const auto mask = matcher.mask();
        ASSERT_TRUE(mask);
        std::vector<TokenId> fitting;
        for (TokenId id = 0; id < size; ++id) {
          const auto bit = static_cast<std::size_t>(id);
          StateId after = tokens[bit].empty() ? Automaton::kDead : state;
          for (const char c : tokens[bit]) after = other.step(after, static_cast<std::uint8_t>(c));
          const bool fits = after >= 0;
          ASSERT_EQ(((*mask)[bit / 64] >> (bit % 64) & 1U) != 0, fits)
              << output.text << " seed " << seed << " token " << tokens[bit];
          if (fits) fitting.push_back(id);
        }
        ASSERT_FALSE(fitting.empty()) << output.text << " seed " << seed;
        const TokenId chosen = fitting[random() % fitting.size()];
        ASSERT_TRUE(matcher.push(chosen));
        state = other.step_token(state, chosen, false);
        ASSERT_EQ(matcher.may_end(), other.accepting(state));
      }
    }
  }
}

TEST(Mask, TheFirstTokenOfATextMayLoseItsSpace) {
  const auto vocabulary = std::make_shared<const Vocabulary>(
      std::vector<std::string>{" a", "a"}, std::vector<std::string>{"a", "a"}, 2);
  const auto constraint = compile_constraint(StructuredOutput::regex("a a"), vocabulary);
  ASSERT_TRUE(constraint);
  const auto automaton =
      std::make_shared<Automaton>((*constraint)->program(), *vocabulary, Limits{});
  Matcher begins(*constraint, automaton, true);
  EXPECT_EQ((*begins.mask())[0], 3U);
  ASSERT_TRUE(begins.push(0));
  EXPECT_EQ((*begins.mask())[0], 1U);
  Matcher goes_on(*constraint, automaton, false);
  EXPECT_EQ((*goes_on.mask())[0], 2U);
}

}  // namespace
}  // namespace quire::grammar
