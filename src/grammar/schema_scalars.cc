#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grammar/json_format.h"
#include "grammar/regex.h"
#include "grammar/schema_compiler.h"

namespace quire::grammar {
namespace {

void tighten(std::optional<NumberBound>* bound, NumberBound other, bool low) {
  if (*bound) {
    const int order = compare(other.value, (*bound)->value);
    if (order == 0) {
      (*bound)->exclusive = (*bound)->exclusive || other.exclusive;
      return;
    }
    if (low ? order < 0 : order > 0) return;
  }
  *bound = std::move(other);
}

// The shortest and the longest text of a language; longest -1: without end.
std::pair<int, int> lengths_of(const Dfa& dfa) {
  const auto& states = dfa.states();
  std::vector<int> distance(states.size(), -1);
  std::vector<std::size_t> order = {0};
  distance[0] = 0;
  int shortest = -1;
  for (std::size_t at = 0; at < order.size(); ++at) {
    const Dfa::State& state = states[order[at]];
    if (state.accepting && shortest < 0) shortest = distance[order[at]];
    for (const Dfa::Edge& edge : state.edges) {
      const auto target = static_cast<std::size_t>(edge.target);
      if (distance[target] >= 0) continue;
      distance[target] = distance[order[at]] + 1;
      order.push_back(target);
    }
  }
  // Every state of a trimmed automaton leads to an end, so a longest text exists where no step goes
  // round: as many rounds as states find it.
  std::vector<int> longest(states.size(), 0);
  std::vector<int> missing(states.size(), 0);
  for (const Dfa::State& state : states) {
    for (const Dfa::Edge& edge : state.edges) ++missing[static_cast<std::size_t>(edge.target)];
  }
  std::vector<std::size_t> ready;
  if (missing[0] == 0) ready.push_back(0);
  std::size_t done = 0;
  int most = 0;
  while (!ready.empty()) {
    const std::size_t at = ready.back();
    ready.pop_back();
    ++done;
    most = std::max(most, longest[at]);
    for (const Dfa::Edge& edge : states[at].edges) {
      const auto target = static_cast<std::size_t>(edge.target);
      longest[target] = std::max(longest[target], longest[at] + 1);
      if (--missing[target] == 0) ready.push_back(target);
    }
  }
  return {shortest, done == states.size() ? most : -1};
}

}  // namespace

Result<NumberRange> SchemaCompiler::number_range(const Refs& all, bool integer) {
  NumberRange range{.integer = integer};
  for (const SchemaRef& schema : all) {
    const auto number = [&](const char* keyword) -> Result<std::optional<Decimal>> {
      const Json* value = schema.find(keyword);
      if (value == nullptr) return std::optional<Decimal>();
      const auto decimal = decimal_of(*value);
      if (decimal) return decimal;
      return invalid_argument("the schema's keyword \"" + std::string(keyword) + "\" at " +
                              schema.path.substr(0, 300) + " has more than 40 digits");
    };
    for (const bool exclusive : {false, true}) {
      QUIRE_ASSIGN(auto low, number(exclusive ? "exclusiveMinimum" : "minimum"));
      if (low) tighten(&range.low, {*std::move(low), exclusive}, true);
      QUIRE_ASSIGN(auto high, number(exclusive ? "exclusiveMaximum" : "maximum"));
      if (high) tighten(&range.high, {*std::move(high), exclusive}, false);
    }
    QUIRE_ASSIGN(auto multiple, number("multipleOf"));
    if (multiple) {
      if (range.multiple_of && compare(*range.multiple_of, *multiple) != 0) {
        return invalid_argument(
            "the schema's keyword \"multipleOf\" at " + schema.path.substr(0, 300) +
            " stands beside another of a different value, which is not enforced");
      }
      if (multiple->whole.size() + multiple->fraction.size() > 9) {
        return invalid_argument("the schema's keyword \"multipleOf\" at " +
                                schema.path.substr(0, 300) + " has more than 9 digits");
      }
      range.multiple_of = std::move(multiple);
    }
    const Json* format = schema.find("format");
    if (format == nullptr || (*format != "int32" && *format != "int64")) continue;
    const bool wide = *format == "int64";
    const std::string most = wide ? "9223372036854775807" : "2147483647";
    const std::string least = wide ? "9223372036854775808" : "2147483648";
    tighten(&range.low, {{.negative = true, .whole = least}}, true);
    tighten(&range.high, {{.whole = most}}, false);
  }
  return range;
}

Result<ExprId> SchemaCompiler::compile_number(const Refs& all, bool integer) {
  QUIRE_ASSIGN(const NumberRange range, number_range(all, integer));
  if (range.is_free()) return integer ? text_.any_integer() : text_.any_number();
  QUIRE_ASSIGN(Dfa dfa, number_dfa(range, grammar_.limits()));
  return grammar_.dfa(std::make_shared<const Dfa>(std::move(dfa)), Spelling::kPlain);
}

Result<Dfa> SchemaCompiler::pattern(const std::string& pattern, const std::string& path) {
  QUIRE_TRY(work());
  Result<Dfa> dfa = regex_dfa(pattern, true, grammar_.limits());
  if (dfa) return dfa;
  return dfa.error().with_context("the schema's pattern at " + path.substr(0, 300));
}

Result<std::vector<Dfa>> SchemaCompiler::string_languages(const Refs& all) {
  std::vector<Dfa> languages;
  for (const SchemaRef& schema : all) {
    if (const Json* text = schema.find("pattern")) {
      QUIRE_ASSIGN(Dfa dfa, pattern(text->get_ref<const std::string&>(), schema.path));
      languages.push_back(std::move(dfa));
    }
    const Json* format = schema.find("format");
    if (format == nullptr) continue;
    const std::string expression = format_pattern(format->get_ref<const std::string&>());
    if (expression.empty()) continue;  // one of numbers
    QUIRE_ASSIGN(Dfa dfa, regex_dfa(expression, false, grammar_.limits()));
    languages.push_back(std::move(dfa));
  }
  return languages;
}

Result<ExprId> SchemaCompiler::compile_string(const Refs& all) {
  const int min = largest_count(all, "minLength", 0);
  const int max = smallest_count(all, "maxLength", -1);
  QUIRE_ASSIGN(std::vector<Dfa> languages, string_languages(all));
  if (languages.empty()) {
    if (min == 0 && max < 0) return text_.any_string();
    return text_.quoted(grammar_.repeat(text_.character(), min, max));
  }
  Dfa dfa = std::move(languages.front());
  for (std::size_t i = 1; i < languages.size(); ++i) {
    QUIRE_ASSIGN(dfa, intersect(dfa, languages[i], grammar_.limits()));
  }
  if (dfa.empty()) return grammar_.never();
  // Bounds that the pattern keeps by itself need no counting.
  const auto [shortest, longest] = lengths_of(dfa);
  const bool long_enough = shortest >= min;
  const bool short_enough = max < 0 || (longest >= 0 && longest <= max);
  if (!long_enough || !short_enough) {
    QUIRE_ASSIGN(const Dfa length,
                 length_dfa(long_enough ? 0 : min, short_enough ? -1 : max, grammar_.limits()));
    QUIRE_ASSIGN(dfa, intersect(dfa, length, grammar_.limits()));
  }
  return text_.quoted(grammar_.dfa(std::make_shared<const Dfa>(std::move(dfa)), Spelling::kJson));
}

}  // namespace quire::grammar
