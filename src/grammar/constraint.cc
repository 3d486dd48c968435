#include "grammar/constraint.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/expression.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"

namespace quire::grammar {
namespace {

using Kind = StructuredOutput::Kind;

Status check_text(const std::string& text, std::string_view what, const Limits& limits) {
  if (text.size() > limits.text_bytes) {
    return invalid_argument(std::string(what) + " has " + std::to_string(text.size()) +
                            " bytes, but may have " + std::to_string(limits.text_bytes));
  }
  if (find_invalid_utf8(text) == std::string::npos) return ok_status();
  return invalid_argument(std::string(what) + " is not UTF-8");
}

Result<ExprId> read_choices(const std::vector<std::string>& choices, Grammar* grammar) {
  const Limits& limits = grammar->limits();
  if (choices.empty()) return invalid_argument("choice has no entries");
  if (choices.size() > limits.choices) {
    return invalid_argument("choice has " + std::to_string(choices.size()) +
                            " entries, but may have " + std::to_string(limits.choices));
  }
  std::vector<ExprId> alternatives;
  for (const std::string& choice : choices) {
    QUIRE_TRY(check_text(choice, "an entry of choice", limits));
    alternatives.push_back(grammar->bytes(choice));
  }
  return grammar->alt(std::move(alternatives));
}

Result<ExprId> read(const StructuredOutput& output, int depth, Grammar* grammar);

Result<std::vector<ExprId>> read_parts(const StructuredOutput& output,
                                       int depth,
                                       Grammar* grammar) {
  std::vector<ExprId> parts;
  for (const StructuredOutput& part : output.parts) {
    QUIRE_ASSIGN(const ExprId id, read(part, depth + 1, grammar));
    parts.push_back(id);
  }
  return parts;
}

Result<ExprId> read_repeat(const StructuredOutput& output, int depth, Grammar* grammar) {
  const int most = grammar->limits().repeats;
  const bool fits = output.parts.size() == 1 && output.min_times >= 0 && output.min_times <= most &&
                    output.max_times >= -1 && output.max_times <= most;
  if (!fits) return invalid_argument("a repetition must have one part and counts within bounds");
  QUIRE_ASSIGN(const auto parts, read_parts(output, depth, grammar));
  return grammar->repeat(parts.front(), output.min_times, output.max_times);
}

Result<ExprId> read(const StructuredOutput& output, int depth, Grammar* grammar) {
  const Limits& limits = grammar->limits();
  if (depth > limits.nesting) return invalid_argument("the constraint is nested too deep");
  switch (output.kind) {
    case Kind::kNone:
      return invalid_argument("a constraint must say what it asks for");
    case Kind::kJsonObject:
      return json_object_expression(grammar);
    case Kind::kJsonSchema:
      QUIRE_TRY(check_text(output.text, "the schema", limits));
      return json_schema_expression(output.text, grammar);
    case Kind::kRegex:
      QUIRE_TRY(check_text(output.text, "the regex", limits));
      return regex_expression(output.text, Spelling::kPlain, grammar);
    case Kind::kGrammar:
      QUIRE_TRY(check_text(output.text, "the grammar", limits));
      return gbnf_expression(output.text, grammar);
    case Kind::kChoice:
      return read_choices(output.choices, grammar);
    case Kind::kText:
      QUIRE_TRY(check_text(output.text, "the text", limits));
      return grammar->bytes(output.text);
    case Kind::kToken:
      if (output.token < 0) return invalid_argument("a token of the constraint has no id");
      return grammar->token(output.token);
    case Kind::kSequence: {
      QUIRE_ASSIGN(auto parts, read_parts(output, depth, grammar));
      return grammar->concat(std::move(parts));
    }
    case Kind::kAnyOf: {
      QUIRE_ASSIGN(auto parts, read_parts(output, depth, grammar));
      return grammar->alt(std::move(parts));
    }
    case Kind::kRepeat:
      return read_repeat(output, depth, grammar);
  }
  return invalid_argument("a constraint of a kind that is not known");
}

}  // namespace

Result<Program> compile_output(const StructuredOutput& output, const Limits& limits) {
  Grammar grammar(limits);
  QUIRE_ASSIGN(const ExprId root, read(output, 0, &grammar));
  grammar.set_root(root);
  return compile_program(grammar);
}

Result<std::shared_ptr<const Constraint>> compile_constraint(
    const StructuredOutput& output,
    std::shared_ptr<const Vocabulary> vocabulary,
    const Limits& limits) {
  QUIRE_ASSIGN(Program program, compile_output(output, limits));
  return std::shared_ptr<const Constraint>(
      std::make_shared<Constraint>(std::move(program), std::move(vocabulary), limits));
}

}  // namespace quire::grammar
