#include "grammar/json_text.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/byte_tree.h"

namespace quire::grammar {
namespace {

CodePointSet digits(char low) { return CodePointSet::of(static_cast<char32_t>(low), U'9'); }

}  // namespace

ExprId JsonText::whitespace() {
  if (whitespace_ >= 0) return whitespace_;
  const CodePointSet spaces({{U' ', U' '}, {U'\t', U'\t'}, {U'\n', U'\n'}, {U'\r', U'\r'}});
  whitespace_ = grammar_->repeat(grammar_->one_of(spaces), 0, kMaxWhitespace);
  return whitespace_;
}

ExprId JsonText::character() {
  if (character_ < 0) character_ = grammar_->one_of(CodePointSet::any(), Spelling::kJsonAny);
  return character_;
}

ExprId JsonText::any_string() {
  if (string_ < 0) {
    string_ = grammar_->add_rule("string");
    grammar_->set_body(string_, quoted(grammar_->repeat(character(), 0, -1)));
  }
  return grammar_->rule(string_);
}

ExprId JsonText::any_integer() {
  if (integer_ >= 0) return integer_;
  Grammar& g = *grammar_;
  const ExprId whole = g.concat({g.one_of(digits('1')), g.repeat(g.one_of(digits('0')), 0, -1)});
  integer_ = g.concat({g.optional(byte('-')), g.alt({byte('0'), whole})});
  return integer_;
}

ExprId JsonText::any_number() {
  if (number_ >= 0) return number_;
  Grammar& g = *grammar_;
  const ExprId some = g.repeat(g.one_of(digits('0')), 1, -1);
  const CodePointSet signs({{U'+', U'+'}, {U'-', U'-'}});
  const CodePointSet letters({{U'e', U'e'}, {U'E', U'E'}});
  const ExprId exponent = g.concat({g.one_of(letters), g.optional(g.one_of(signs)), some});
  number_ =
      g.concat({any_integer(), g.optional(g.concat({byte('.'), some})), g.optional(exponent)});
  return number_;
}

ExprId JsonText::boolean() {
  return grammar_->alt({grammar_->bytes("true"), grammar_->bytes("false")});
}

ExprId JsonText::quoted(ExprId characters) {
  return grammar_->concat({byte('"'), characters, byte('"')});
}

ExprId JsonText::string(std::string_view text) {
  std::vector<ExprId> parts;
  std::string run = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint next = decode_utf8(text, at);
    if (next.code_point < 0x80 && !needs_escape(next.code_point)) {
      run += text[at];
    } else {
      parts.push_back(grammar_->bytes(std::exchange(run, {})));
      parts.push_back(
          grammar_->one_of(CodePointSet::of(next.code_point, next.code_point), Spelling::kJson));
    }
    at += next.length;
  }
  parts.push_back(grammar_->bytes(run + "\""));
  return grammar_->concat(std::move(parts));
}

ExprId JsonText::member(ExprId key, ExprId value) {
  return grammar_->concat({key, whitespace(), byte(':'), whitespace(), value, whitespace()});
}

ExprId JsonText::list(char open, ExprId item, char close) {
  Grammar& g = *grammar_;
  const ExprId more = g.repeat(g.concat({byte(','), whitespace(), item}), 0, -1);
  return g.concat({byte(open), whitespace(), g.optional(g.concat({item, more})), byte(close)});
}

ExprId JsonText::any_object() { return list('{', member(any_string(), any_value()), '}'); }

ExprId JsonText::any_array() {
  return list('[', grammar_->concat({any_value(), whitespace()}), ']');
}

ExprId JsonText::any_value() {
  if (value_ < 0) {
    value_ = grammar_->add_rule("value");
    grammar_->set_body(value_,
                       grammar_->alt({any_string(),
                                      any_number(),
                                      boolean(),
                                      grammar_->bytes("null"),
                                      any_object(),
                                      any_array()}));
  }
  return grammar_->rule(value_);
}

ExprId JsonText::literal(const Json& value) {
  Grammar& g = *grammar_;
  if (value.is_string()) return string(value.get_ref<const std::string&>());
  if (value.is_number_float()) {
    const double number = value.get<double>();
    const ExprId written = g.bytes(value.dump());
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (std::floor(number) != number || std::abs(number) > kExact) return written;
    return g.alt({written, g.bytes(std::to_string(static_cast<long long>(number)))});
  }
  if (!value.is_structured()) return g.bytes(value.dump());
  const bool object = value.is_object();
  std::vector<ExprId> parts = {byte(object ? '{' : '['), whitespace()};
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!first) {
      parts.push_back(byte(','));
      parts.push_back(whitespace());
    }
    first = false;
    parts.push_back(object ? member(string(key), literal(item))
                           : g.concat({literal(item), whitespace()}));
  }
  parts.push_back(byte(object ? '}' : ']'));
  return g.concat(std::move(parts));
}

}  // namespace quire::grammar
