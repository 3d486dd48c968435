#include "grammar/json_schema.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/grammar/accepts.h"

namespace quire::grammar {
namespace {

// A schema, documents that follow it, documents that do not.
struct Case {
  std::string schema;
  std::vector<std::string> valid;
  std::vector<std::string> invalid;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    for (const std::string& text : c.valid) {
      EXPECT_EQ(judge_schema(c.schema, text), "yes") << c.schema << "  " << text;
    }
    for (const std::string& text : c.invalid) {
      EXPECT_EQ(judge_schema(c.schema, text), "no") << c.schema << "  " << text;
    }
  }
}

TEST(JsonSchema, TypesAndValues) {
  check({{R"(true)", {"1", "null", R"({"a":[1,{"b":"c"}]})", "-0.5e+7"}, {"", "01", "{,}", "[1,]"}},
         {R"({"type":"null"})", {"null"}, {"true", "0"}},
         {R"({"type":["integer","string"]})", {"7", R"("x")"}, {"7.5", "null"}},
         {R"({"type":"string","nullable":true})", {"null", R"("")"}, {"1"}},
         {R"({"enum":["a",1,null,{"k":[true]}]})",
          {R"("a")", "1", "null", R"({ "k" : [ true ] })"},
          {R"("b")", "2", "{}"}},
         {R"({"enum":["a",1,2.5],"type":"number"})", {"1", "2.5"}, {R"("a")"}},
         {R"({"const":"caf\u00e9"})", {"\"caf\xC3\xA9\"", R"("caf\u00E9")"}, {R"("cafe")"}}});
}

TEST(JsonSchema, Objects) {
  const std::string two =
      R"({"type":"object","properties":{"b":{"type":"integer"},)"
      R"("a":{"type":"string"}},"required":["a"],"additionalProperties":false})";
  check({{two,
          {R"({"b":1,"a":"x"})", R"({"a":""})", "{ \"b\":\t1 ,\n\"a\" : \"\" }"},
          {R"({"b":1})", R"({"a":"x","b":1})", R"({"a":"x","c":1})", R"({"a":"x",})", "{}"}},
         {R"({"type":"object","properties":{"a":{"type":"integer"}}})",
          {"{}", R"({"a":1,"x":[],"y":2})", R"({"x":1})", R"({"aa":"s"})"},
          {R"({"a":"s"})", R"({"x":1,"a":"s"})"}},
         {R"({"type":"object","patternProperties":{"^i_":{"type":"integer"},)"
          R"("_s$":{"type":"string"}},"additionalProperties":false})",
          {"{}", R"({"i_a":1,"b_s":"x"})"},
          {R"({"i_a":"x"})", R"({"q":1})", R"({"i_s":1})", R"({"i_s":"x"})"}},
         {R"({"type":"object","additionalProperties":{"type":"integer"},)"
          R"("minProperties":1,"maxProperties":2})",
          {R"({"a":1})", R"({"a":1,"b":2})"},
          {"{}", R"({"a":1,"b":2,"c":3})"}},
         {R"({"type":"object","properties":{"a":{},"b":{},"c":{}},)"
          R"("additionalProperties":false,"minProperties":2,"maxProperties":2})",
          {R"({"a":1,"b":2})", R"({"b":1,"c":2})"},
          {R"({"a":1})", R"({"a":1,"b":2,"c":3})"}},
         {R"({"type":"object","propertyNames":{"maxLength":2},)"
          R"("additionalProperties":{"type":"null"}})",
          {R"({"ab":null})"},
          {R"({"abc":null})"}},
         {R"({"type":"object","required":["x"],"additionalProperties":{"type":"integer"}})",
          {R"({"x":1})", R"({"x":1,"y":2})"},
          {R"({"y":1})", R"({"x":"s"})"}}});
}

TEST(JsonSchema, ArraysAndCombinations) {
  check({{R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
          {"[1]", "[1, 2 ,3]"},
          {"[]", "[1,2,3,4]", R"(["a"])"}},
         {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],)"
          R"("items":{"type":"null"},"minItems":1})",
          {"[1]", R"([1,"a"])", R"([1,"a",null,null])"},
          {"[]", R"(["a"])", R"([1,"a",2])"}},
         {R"({"type":"array","maxItems":0})", {"[]", "[ ]"}, {"[1]"}},
         {R"({"anyOf":[{"type":"array","minItems":2,"maxItems":1},{"type":"null"}]})",
          {"null"},
          {"[1]", "[1,2]"}},
         {R"({"anyOf":[{"type":"integer","minimum":5},{"type":"string","maxLength":1}]})",
          {"5", R"("a")"},
          {"4", R"("ab")"}},
         {R"({"allOf":[{"type":"object","properties":{"a":{"minimum":2}}},)"
          R"({"properties":{"a":{"maximum":3,"type":"integer"}},"required":["a"]}],)"
          R"("additionalProperties":false,"properties":{"a":{}}})",
          {R"({"a":2})", R"({"a":3})"},
          {R"({"a":1})", R"({"a":4})", "{}"}},
         {R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},)"
          R"("x":{"type":"integer"}},"required":["kind","x"]},{"type":"object",)"
          R"("properties":{"kind":{"const":"b"}},"required":["kind"]}]})",
          {R"({"kind":"a","x":1})", R"({"kind":"b"})"},
          {R"({"kind":"a"})", R"({"kind":"c"})"}},
         {R"({"$defs":{"t":{"type":"object","properties":{"v":{"type":"integer"},)"
          R"("c":{"type":"array","items":{"$ref":"#/$defs/t"}}},"required":["v"],)"
          R"("additionalProperties":false}},"$ref":"#/$defs/t"})",
          {R"({"v":1,"c":[{"v":2,"c":[]},{"v":3}]})"},
          {R"({"v":1,"c":[{}]})"}}});
}

TEST(JsonSchema, StringsAndNumbers) {
  check(
      {{R"({"type":"string","minLength":2,"maxLength":3})",
        {R"("ab")", "\"\xC3\xA9\xC3\xA9\"", R"("\u0041\n")", R"("\ud83d\ude00x")"},
        {R"("a")", R"("abcd")", R"("\ud83d")"}},
       {R"({"type":"string","pattern":"b+"})", {R"("abbc")", R"("b")"}, {R"("ac")"}},
       {R"({"type":"string","pattern":"^a.c$","maxLength":3})",
        {R"("abc")", R"("a\"c")", R"("a\u00e9c")"},
        {R"("abbc")", R"("a"c")"}},
       {R"({"type":"string","format":"date"})", {R"("2024-02-29")"}, {R"("2023-02-29")"}},
       {R"({"type":"string","format":"date-time"})",
        {R"("2024-01-31T23:59:59.5+02:00")"},
        {R"("2024-01-31")"}},
       {R"({"type":"string","format":"uuid"})",
        {R"("123e4567-e89b-12d3-a456-426614174000")"},
        {R"("123e4567")"}},
       {R"({"type":"string","format":"ipv4"})", {R"("255.0.10.1")"}, {R"("256.0.0.1")"}},
       {R"({"type":"string","format":"email"})", {R"("a.b@c-d.org")"}, {R"("a@")", R"("ab")"}},
       {R"({"type":"integer","minimum":-5,"maximum":12})",
        {"-5", "0", "-0", "12", "9"},
        {"-6", "13", "100", "1.0"}},
       {R"({"type":"number","exclusiveMinimum":0,"maximum":1.25})",
        {"0.001", "1", "1.25", "1.2500"},
        {"0", "0.0", "-1", "1.26", "1e0"}},
       {R"({"type":"integer","multipleOf":7,"minimum":1})", {"7", "14", "7000"}, {"1", "0", "15"}},
       {R"({"type":"number","multipleOf":0.25})", {"1.25", "0.5", "-3"}, {"0.3", "1.255"}}});
}

TEST(JsonSchema, WhiteSpaceEndsAfterEightCharacters) {
  const std::string schema = R"({"type":"array","items":{"type":"integer"}})";
  EXPECT_EQ(judge_schema(schema, "[" + std::string(8, ' ') + "1]"), "yes");
  EXPECT_EQ(judge_schema(schema, "[" + std::string(9, ' ') + "1]"), "no");
  EXPECT_EQ(judge_schema(schema, " [1]"), "no");
  EXPECT_EQ(judge_schema(schema, "[1] "), "no");
}

TEST(JsonSchema, WhatIsNotEnforcedIsNamedWithItsPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"properties":{"a":{"not":{}}}})", R"("not" at #/properties/a is not enforced)"},
      {R"({"items":{"contains":{}}})", R"("contains" at #/items is not enforced)"},
      {R"({"maximun":3})", R"("maximun" at # is not enforced)"},
      {R"({"uniqueItems":true})", R"("uniqueItems" at # is not enforced)"},
      {R"({"format":"color"})", R"("format" at # asks for "color")"},
      {R"({"oneOf":[{"type":"number"},{"type":"integer"}]})", R"("oneOf" at # is not enforced)"},
      {R"({"$defs":{"a":{"if":{}}},"$ref":"#/$defs/a"})", R"("if" at #/$defs/a)"},
      {R"({"$ref":"#/nowhere"})", "points nowhere"},
      {R"({"type":"thing"})", R"("type" at # must be)"},
      {R"({"minLength":-1})", R"("minLength" at # must be)"},
      {R"({"type":"object","minProperties":3})", R"("minProperties" at # is not enforced)"},
      {R"({"pattern":"("})", "the schema's pattern at #"},
      {R"({"type":"string","enum":[1]})", "matches no text"},
      {R"([])", "must be an object, true or false"},
      {R"({"a":)", "the schema"}};
  for (const auto& [schema, words] : cases) {
    const std::string why = why_refused(StructuredOutput::json_schema(schema));
    EXPECT_NE(why.find(words), std::string::npos) << schema << ": " << why;
  }
}

TEST(JsonSchema, AnyObjectIsAnObject) {
  const StructuredOutput any = StructuredOutput::json_object();
  EXPECT_EQ(judge(any, R"({"a":{"b":[1,2,"\u00e9"]}})"), "yes");
  EXPECT_EQ(judge(any, "[]"), "no");
  EXPECT_EQ(judge(any,
                  R"({"a":")"
                  "\x01"
                  R"("})"),
            "no");
}

}  // namespace
}  // namespace quire::grammar
