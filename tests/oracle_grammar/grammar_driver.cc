// Answers the oracle test, a line of JSON each:
//   {"vocabulary": [[bytes...], ...]}                 the tokens for masks; bytes as numbers
//   {"kind", "text" or "choices", "documents": [text, ...]}   {"accepted": [bool, ...]}
//   {"kind", "text" or "choices", "prefix": [ids], "steps"?}  {"mask": [ids], "end": bool}
// or {"error"}; with how long it took in "compile_us".
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "grammar/constraint.h"

namespace {

using nlohmann::json;
using quire::StructuredOutput;
using quire::grammar::Automaton;
using quire::grammar::Vocabulary;

StructuredOutput read_output(const json& line) {
  const std::string kind = line["kind"];
  if (kind == "choice") return StructuredOutput::choice(line["choices"]);
  if (kind == "json_object") return StructuredOutput::json_object();
  if (kind == "regex") return StructuredOutput::regex(line["text"]);
  if (kind == "grammar") return StructuredOutput::grammar(line["text"]);
  return StructuredOutput::json_schema(line["text"]);
}

// Null: the text is at more places than are followed.
json accepts(Automaton* automaton, const std::string& text) {
  auto state = automaton->start();
  for (const char c : text) state = automaton->step(state, static_cast<std::uint8_t>(c));
  const bool accepted = state >= 0 && automaton->accepting(state);
  automaton->make_room();
  if (state == Automaton::kTooMany) return nullptr;
  return accepted;
}

// A random text of the constraint, and how long each mask took.
json walk(const json& line, quire::grammar::Matcher* matcher, const Vocabulary& vocabulary) {
  std::mt19937 random(line["seed"].get<unsigned>());
  json times = json::array();
  for (int step = 0; step < line["walk"].get<int>() && !matcher->must_end(); ++step) {
    const auto begin = std::chrono::steady_clock::now();
    const auto mask = matcher->mask();
    const auto took = std::chrono::steady_clock::now() - begin;
    if (!mask) return {{"error", mask.error().message()}};
    times.push_back(std::chrono::duration<double, std::micro>(took).count());
    std::vector<int> ids;
    for (int id = 0; id < vocabulary.size(); ++id) {
      const auto bit = static_cast<std::size_t>(id);
      if (((*mask)[bit / 64] >> (bit % 64) & 1U) != 0) ids.push_back(id);
    }
    if (ids.empty()) return {{"error", "no token fits"}};
    matcher->push(ids[random() % ids.size()]);
  }
  return {{"mask_us", times}};
}

json answer(const json& line, const std::shared_ptr<const Vocabulary>& vocabulary) {
  const auto begin = std::chrono::steady_clock::now();
  const auto constraint = quire::grammar::compile_constraint(read_output(line), vocabulary);
  const auto took = std::chrono::steady_clock::now() - begin;
  if (!constraint) return {{"error", constraint.error().message()}};
  json out = {{"compile_us", std::chrono::duration<double, std::micro>(took).count()}};
  const quire::Constraint& c = **constraint;
  const auto automaton = std::make_shared<Automaton>(c.program(), c.vocabulary(), c.limits());
  if (line.contains("documents")) {
    json accepted = json::array();
    for (const json& document : line["documents"]) {
      accepted.push_back(accepts(automaton.get(), document.get<std::string>()));
    }
    out["accepted"] = accepted;
    return out;
  }
  quire::grammar::Matcher matcher(*constraint, automaton, false);
  if (line.contains("walk")) {
    out.update(walk(line, &matcher, *vocabulary));
    return out;
  }
  for (const json& id : line["prefix"]) {
    if (!matcher.push(id.get<int>())) return {{"error", "the prefix does not fit"}};
  }
  const auto mask = matcher.mask();
  if (!mask) return {{"error", mask.error().message()}};
  json ids = json::array();
  for (int id = 0; id < vocabulary->size(); ++id) {
    const auto bit = static_cast<std::size_t>(id);
    if (((*mask)[bit / 64] >> (bit % 64) & 1U) != 0) ids.push_back(id);
  }
  out["mask"] = ids;
  out["end"] = matcher.may_end();
  return out;
}

}  // namespace

int main() {
  auto vocabulary = std::make_shared<const Vocabulary>(
      std::vector<std::string>(1), std::vector<std::string>(), 1);
  std::string text;
  while (std::getline(std::cin, text)) {
    const json line = json::parse(text);
    if (line.contains("vocabulary")) {
      std::vector<std::string> bytes;
      for (const json& token : line["vocabulary"]) {
        bytes.emplace_back();
        for (const json& byte : token) bytes.back() += static_cast<char>(byte.get<int>());
      }
      const auto size = static_cast<int>(bytes.size());
      vocabulary =
          std::make_shared<const Vocabulary>(std::move(bytes), std::vector<std::string>(), size);
      std::cout << "{}" << std::endl;
      continue;
    }
    std::cout << answer(line, vocabulary).dump() << std::endl;
  }
  return 0;
}
