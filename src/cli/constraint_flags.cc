#include "cli/constraint_flags.h"

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "base/file.h"
#include "grammar/limits.h"
#include "quire/result.h"

namespace quire::cli {
namespace {

Result<std::string> read_text(const std::string& path) {
  Result<std::string> text = read_file(path, grammar::Limits{}.text_bytes + 1);
  if (text) return text;
  return text.error().with_next_step("give a file that can be read, or check its name");
}

void set(StructuredOutput output, std::string_view option, SamplingParams* params) {
  output.field = "option " + std::string(option);
  params->structured_output = std::move(output);
}

}  // namespace

void add_constraint_flags(CLI::App* command, ConstraintFlags* flags) {
  const char* const group = "Structured output, one at most";
  CLI::Option* const options[] = {
      command->add_option("--json-schema",
                          flags->json_schema,
                          "JSON that follows this schema: a file, or the schema itself"),
      command->add_option("--regex", flags->regex, "Text that matches this pattern as a whole"),
      command->add_option("--grammar", flags->grammar, "Text of this grammar, a file in GBNF"),
      command->add_option("--choice", flags->choices, "One of these; given again for each of them")
          ->allow_extra_args(false)};
  for (CLI::Option* option : options) {
    option->group(group);
    for (CLI::Option* other : options) {
      if (other != option) option->excludes(other);
    }
  }
}

Status apply(const ConstraintFlags& flags, SamplingParams* params) {
  if (!flags.json_schema.empty()) {
    const auto first = flags.json_schema.find_first_not_of(" \t\r\n");
    const bool itself = first != std::string::npos && flags.json_schema[first] == '{';
    std::string schema = flags.json_schema;
    if (!itself && schema != "true") {
      QUIRE_ASSIGN(schema, read_text(flags.json_schema));
    }
    set(StructuredOutput::json_schema(std::move(schema)), "json_schema", params);
  }
  if (!flags.regex.empty()) set(StructuredOutput::regex(flags.regex), "regex", params);
  if (!flags.grammar.empty()) {
    QUIRE_ASSIGN(std::string text, read_text(flags.grammar));
    set(StructuredOutput::grammar(std::move(text)), "grammar", params);
  }
  if (!flags.choices.empty()) set(StructuredOutput::choice(flags.choices), "choice", params);
  return ok_status();
}

}  // namespace quire::cli
