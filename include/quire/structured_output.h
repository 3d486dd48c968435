#pragma once

#include <string>
#include <utility>
#include <vector>

#include "quire/types.h"

namespace quire {

// A rule that the text of an answer must follow, from its first byte to its last. Plain data: what
// it says is looked at where the request enters, and refused there with kInvalidArgument.
//
//   params.structured_output = StructuredOutput::json_schema(R"({"type": "integer"})");
//   params.structured_output = StructuredOutput::choice({"yes", "no"});
//
// docs/structured_output.md says which JSON Schema, regular expressions and grammars are known.
struct StructuredOutput {
  enum class Kind {
    kNone,        // any text
    kJsonSchema,  // `text` is a JSON Schema
    kJsonObject,  // any JSON object
    kRegex,       // the whole answer matches `text`
    kGrammar,     // `text` is a grammar in GBNF with a rule named root
    kChoice,      // one of `choices`
    // Pieces to build from: formats that tell of a tool's call, for example.
    kText,      // `text` itself
    kToken,     // the token `token`, a control token too
    kSequence,  // all `parts` in order
    kAnyOf,     // one of `parts`
    kRepeat,    // the one of `parts`, min_times to max_times (-1: any number)
  };

  Kind kind = Kind::kNone;
  std::string text = {};
  std::vector<std::string> choices = {};
  TokenId token = 0;
  std::vector<StructuredOutput> parts = {};
  int min_times = 0;
  int max_times = -1;
  std::string field = {};  // that it was asked for in, for messages

  static StructuredOutput json_schema(std::string schema) {
    return {.kind = Kind::kJsonSchema, .text = std::move(schema)};
  }
  static StructuredOutput json_object() { return {.kind = Kind::kJsonObject}; }
  static StructuredOutput regex(std::string pattern) {
    return {.kind = Kind::kRegex, .text = std::move(pattern)};
  }
  static StructuredOutput grammar(std::string gbnf) {
    return {.kind = Kind::kGrammar, .text = std::move(gbnf)};
  }
  static StructuredOutput choice(std::vector<std::string> choices) {
    return {.kind = Kind::kChoice, .choices = std::move(choices)};
  }

  bool empty() const { return kind == Kind::kNone; }
  bool operator==(const StructuredOutput&) const = default;
};

}  // namespace quire
