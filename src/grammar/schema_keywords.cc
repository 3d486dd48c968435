#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "grammar/json_format.h"
#include "grammar/schema_compiler.h"

namespace quire::grammar {
namespace {

enum class Form : std::uint8_t {
  kIgnored,
  kSchema,
  kSchemas,    // a list of schemas, one at least
  kSchemaMap,  // an object of them
  kItems,      // a schema, or the list of older drafts
  kCount,
  kNumber,
  kPositive,
  kText,
  kTexts,
  kTypes,
  kSwitch,
  kValues,
  kFalse,  // enforced when it is false, which asks for nothing
};

struct Keyword {
  std::string_view name;
  Form form;
};

constexpr std::array<Keyword, 51> kKeywords = {{
    {"$schema", Form::kIgnored},
    {"$id", Form::kIgnored},
    {"$comment", Form::kIgnored},
    {"$anchor", Form::kIgnored},
    {"title", Form::kIgnored},
    {"description", Form::kIgnored},
    {"default", Form::kIgnored},
    {"example", Form::kIgnored},
    {"examples", Form::kIgnored},
    {"deprecated", Form::kIgnored},
    {"readOnly", Form::kIgnored},
    {"writeOnly", Form::kIgnored},
    {"contentMediaType", Form::kIgnored},  // says what a text is, and asks nothing of it
    {"contentEncoding", Form::kIgnored},
    {"contentSchema", Form::kIgnored},
    {"discriminator", Form::kIgnored},  // OpenAPI: which branch to try first
    {"externalDocs", Form::kIgnored},
    {"$defs", Form::kSchemaMap},
    {"definitions", Form::kSchemaMap},
    {"$ref", Form::kText},
    {"type", Form::kTypes},
    {"nullable", Form::kSwitch},
    {"enum", Form::kValues},
    {"const", Form::kIgnored},
    {"format", Form::kText},
    {"pattern", Form::kText},
    {"minLength", Form::kCount},
    {"maxLength", Form::kCount},
    {"minimum", Form::kNumber},
    {"maximum", Form::kNumber},
    {"exclusiveMinimum", Form::kNumber},
    {"exclusiveMaximum", Form::kNumber},
    {"multipleOf", Form::kPositive},
    {"properties", Form::kSchemaMap},
    {"patternProperties", Form::kSchemaMap},
    {"additionalProperties", Form::kSchema},
    {"propertyNames", Form::kSchema},
    {"required", Form::kTexts},
    {"minProperties", Form::kCount},
    {"maxProperties", Form::kCount},
    {"prefixItems", Form::kSchemas},
    {"items", Form::kItems},
    {"additionalItems", Form::kSchema},
    {"minItems", Form::kCount},
    {"maxItems", Form::kCount},
    {"uniqueItems", Form::kFalse},
    {"allOf", Form::kSchemas},
    {"anyOf", Form::kSchemas},
    {"oneOf", Form::kSchemas},
    {"id", Form::kIgnored},
    {"$vocabulary", Form::kIgnored},
}};

constexpr std::array<std::string_view, 7> kTypes = {
    "null", "boolean", "integer", "number", "string", "array", "object"};

bool is_schema(const Json& value) { return value.is_object() || value.is_boolean(); }

bool is_type(const Json& value) {
  return value.is_string() &&
         std::ranges::find(kTypes, value.get<std::string_view>()) != kTypes.end();
}

template <typename Is>
bool all_are(const Json& values, const Is& is) {
  return std::ranges::all_of(values, is);
}

bool is_text(const Json& value) { return value.is_string(); }

bool is_count(const Json& value) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    return number >= 0 && number == static_cast<double>(static_cast<long long>(number));
  }
  return value.is_number_unsigned() ||
         (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

// What the keyword's value must be; empty if it is that.
std::string_view wanted(Form form, const Json& value) {
  switch (form) {
    case Form::kIgnored:
      return "";
    case Form::kSchema:
      return is_schema(value) ? "" : "a schema";
    case Form::kSchemas:
      return value.is_array() && !value.empty() && all_are(value, is_schema) ? ""
                                                                             : "a list of schemas";
    case Form::kSchemaMap:
      return value.is_object() && all_are(value, is_schema) ? "" : "an object of schemas";
    case Form::kItems:
      return is_schema(value) || (value.is_array() && all_are(value, is_schema))
                 ? ""
                 : "a schema or a list of schemas";
    case Form::kCount:
      return is_count(value) ? "" : "a whole number from 0";
    case Form::kNumber:
      return value.is_number() ? "" : "a number";
    case Form::kPositive:
      return value.is_number() && value.get<double>() > 0 ? "" : "a number above 0";
    case Form::kText:
      return value.is_string() ? "" : "a string";
    case Form::kTexts:
      return value.is_array() && all_are(value, is_text) ? "" : "a list of strings";
    case Form::kTypes:
      return is_type(value) || (value.is_array() && !value.empty() && all_are(value, is_type))
                 ? ""
                 : "one of null, boolean, integer, number, string, array, object, or a list";
    case Form::kSwitch:
      return value.is_boolean() ? "" : "true or false";
    case Form::kValues:
      return value.is_array() && !value.empty() ? "" : "a list of values";
    case Form::kFalse:
      return value.is_boolean() ? "" : "true or false";
  }
  return "";
}

Status not_enforced(const SchemaRef& schema, const std::string& keyword) {
  return invalid_argument("the schema's keyword \"" + keyword.substr(0, 60) + "\" at " +
                          schema.path.substr(0, 300) + " is not enforced; leave it out");
}

Status check_format(const SchemaRef& schema) {
  const Json* format = schema.find("format");
  if (format == nullptr) return ok_status();
  constexpr std::array<std::string_view, 4> kOfNumbers = {"int32", "int64", "float", "double"};
  const auto& name = format->get_ref<const std::string&>();
  if (std::ranges::find(kOfNumbers, name) != kOfNumbers.end()) return ok_status();
  if (!format_pattern(name).empty()) return ok_status();
  return invalid_argument("the schema's keyword \"format\" at " + schema.path.substr(0, 300) +
                          " asks for \"" + name.substr(0, 40) +
                          "\", which is not enforced; leave it out, or ask for one of " +
                          known_formats());
}

}  // namespace

Status check_keywords(const SchemaRef& schema) {
  if (schema.json->is_boolean()) return ok_status();
  if (!schema.json->is_object()) {
    return invalid_argument("the schema at " + schema.path.substr(0, 300) +
                            " must be an object, true or false");
  }
  const std::span keywords(kKeywords);
  for (const auto& [name, value] : schema.json->items()) {
    const auto known = std::ranges::find(keywords, name, &Keyword::name);
    if (known == keywords.end()) {
      if (name.starts_with("x-")) continue;
      return not_enforced(schema, name);
    }
    if (const std::string_view want = wanted(known->form, value); !want.empty()) {
      return invalid_argument("the schema's keyword \"" + name + "\" at " +
                              schema.path.substr(0, 300) + " must be " + std::string(want));
    }
    if (name == "uniqueItems" && value == true) {
      const Json* most = schema.find("maxItems");
      if (most == nullptr || !is_count(*most) || *most > 1) return not_enforced(schema, name);
    }
  }
  return check_format(schema);
}

}  // namespace quire::grammar
