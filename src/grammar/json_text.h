#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "grammar/expression.h"

namespace quire::grammar {

using Json = nlohmann::ordered_json;

// The pieces that grammars of JSON are made of, each made once a grammar. A value is text without
// white space around it.
class JsonText {
 public:
  explicit JsonText(Grammar* grammar) : grammar_(grammar) {}

  ExprId whitespace();  // between two tokens: kMaxWhitespace characters at most
  ExprId any_value();   // recursive
  ExprId any_object();
  ExprId any_array();
  ExprId any_string();
  ExprId any_number();   // with fraction and exponent
  ExprId any_integer();  // without
  ExprId character();    // of a string, in every spelling
  ExprId boolean();
  ExprId quoted(ExprId characters);         // between quotation marks
  ExprId string(std::string_view text);     // this very one, quoted
  ExprId literal(const Json& value);        // this very value, white space apart
  ExprId member(ExprId key, ExprId value);  // key : value, with white space behind it
  ExprId byte(char c) { return grammar_->bytes(std::string(1, c)); }

 private:
  ExprId kept(ExprId* place, ExprId made);
  ExprId list(char open, ExprId item, char close);

  Grammar* grammar_;
  ExprId whitespace_ = -1;
  RuleId value_ = -1;
  RuleId string_ = -1;
  ExprId number_ = -1;
  ExprId integer_ = -1;
  ExprId character_ = -1;
};

}  // namespace quire::grammar
