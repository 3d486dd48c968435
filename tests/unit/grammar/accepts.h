#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/constraint.h"

namespace quire::grammar {

// Whether a text follows a rule; "refused: ..." for a rule that is not taken.
inline std::string judge(const StructuredOutput& output,
                         std::string_view text,
                         const Limits& limits = {}) {
  const Result<Program> program = compile_output(output, limits);
  if (!program) return "refused: " + program.error().message();
  const Vocabulary none({}, {}, 0);
  Automaton automaton(*program, none, limits);
  StateId state = automaton.start();
  for (const char c : text) state = automaton.step(state, static_cast<std::uint8_t>(c));
  return state >= 0 && automaton.accepting(state) ? "yes" : "no";
}

inline std::string judge_schema(std::string schema, std::string_view text) {
  return judge(StructuredOutput::json_schema(std::move(schema)), text);
}

inline std::string why_refused(const StructuredOutput& output, const Limits& limits = {}) {
  const Result<Program> program = compile_output(output, limits);
  return program ? "" : program.error().message();
}

}  // namespace quire::grammar
