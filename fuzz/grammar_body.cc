#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "fuzz/fuzz_bodies.h"
#include "grammar/constraint.h"

namespace quire::fuzz {
namespace {

// The front end is the first byte's.
StructuredOutput output_of(std::string_view input) {
  std::string text(input.substr(1));
  switch (input.front() % 3) {
    case 0:
      return StructuredOutput::json_schema(std::move(text));
    case 1:
      return StructuredOutput::regex(std::move(text));
    default:
      return StructuredOutput::grammar(std::move(text));
  }
}

grammar::Limits small_limits() {
  grammar::Limits limits;
  limits.dfa_work = 200'000;
  limits.dfa_states = 2'000;
  limits.nodes = 100'000;
  limits.schema_work = 2'000;
  limits.mask_work = 100'000;
  return limits;
}

}  // namespace

void grammar(std::string_view input) {
  if (input.empty()) return;
  static const auto kVocabulary = [] {
    std::vector<std::string> bytes;
    for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
    return std::make_shared<const grammar::Vocabulary>(
        std::move(bytes), std::vector<std::string>(), 256);
  }();
  const grammar::Limits limits = small_limits();
  const auto constraint = grammar::compile_constraint(output_of(input), kVocabulary, limits);
  if (!constraint) {
    QUIRE_CHECK(!constraint.error().message().empty(), "a refusal says why");
    QUIRE_CHECK(constraint.error().message().find('\n') == std::string::npos, "in one line");
    return;
  }
  const auto automaton =
      std::make_shared<grammar::Automaton>((*constraint)->program(), *kVocabulary, limits);
  grammar::Matcher matcher(*constraint, automaton, false);
  // Some text of it, chosen by the input; every byte is a token, so there is always a next one.
  for (const char c : input.substr(0, 64)) {
    if (matcher.must_end()) return;
    const auto mask = matcher.mask();
    if (!mask) return;
    int chosen = -1;
    for (int i = 0; i < 256 && chosen < 0; ++i) {
      const int byte = (i + static_cast<unsigned char>(c)) % 256;
      const auto bit = static_cast<std::size_t>(byte);
      if (((*mask)[bit / 64] >> (bit % 64) & 1U) != 0) chosen = byte;
    }
    if ((*constraint)->program().has_tokens && chosen < 0) return;
    QUIRE_CHECK(chosen >= 0 || matcher.may_end(), "a text that has begun can go on or end");
    if (chosen < 0) return;
    QUIRE_CHECK(matcher.push(chosen), "what the mask has fits");
  }
}

}  // namespace quire::fuzz
