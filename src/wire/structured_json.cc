#include "wire/structured_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/raw_json.h"

namespace quire::wire {
namespace {

using nlohmann::json;

Status wrong(std::string_view field, std::string_view what) {
  return invalid_argument(std::string(field) + " " + std::string(what));
}

// A schema is an object, true or false; vLLM's clients also send the text of one.
Result<StructuredOutput> schema_of(std::string_view field, std::string_view raw) {
  const json value = json::parse(raw, nullptr, false);
  if (value.is_string()) return StructuredOutput::json_schema(value.get<std::string>());
  if (value.is_object() || value.is_boolean()) {
    return StructuredOutput::json_schema(std::string(raw));
  }
  return wrong(field, "must be a JSON Schema: an object, true or false");
}

Result<StructuredOutput> text_of(std::string_view field,
                                 std::string_view raw,
                                 StructuredOutput (*make)(std::string)) {
  const json value = json::parse(raw, nullptr, false);
  if (!value.is_string()) return wrong(field, "must be a string");
  return make(value.get<std::string>());
}

Result<StructuredOutput> choices_of(std::string_view field, std::string_view raw) {
  const json value = json::parse(raw, nullptr, false);
  const bool texts = value.is_array() && !value.empty() &&
                     std::ranges::all_of(value, [](const json& item) { return item.is_string(); });
  if (!texts) return wrong(field, "must be a list of strings, one at least");
  return StructuredOutput::choice(value.get<std::vector<std::string>>());
}

// The part of a response_format that has the schema, under "json_schema".
Result<StructuredOutput> read_json_schema(std::string_view raw) {
  const std::string_view part = raw_field(raw, "json_schema");
  if (part.empty() || !part.starts_with('{')) {
    return wrong("response_format", "of type json_schema must have an object json_schema");
  }
  for (const auto& [name, value] : raw_fields(part)) {
    if (name == "name" || name == "description") {
      if (value.starts_with('"') || value == "null") continue;
      return wrong("response_format", "has a json_schema." + name + " that is no string");
    }
    // Whether or not it is asked for, the answer follows the schema.
    if (name == "strict" && (value == "true" || value == "false" || value == "null")) continue;
    if (name == "schema") continue;
    return wrong("response_format",
                 "has a json_schema with the field \"" + name.substr(0, 60) +
                     "\" as it is not known; leave it out");
  }
  const std::string_view schema = raw_field(part, "schema");
  if (schema.empty()) return wrong("response_format", "has a json_schema without a schema");
  return schema_of("response_format", schema);
}

Result<StructuredOutput> read_response_format(std::string_view raw) {
  const json format = json::parse(raw, nullptr, false);
  if (!format.is_object() || !format.contains("type") || !format["type"].is_string()) {
    return wrong("response_format", "must be an object with a type");
  }
  const std::string type = format["type"];
  const bool known = type == "text" || type == "json_object" || type == "json_schema";
  if (!known) {
    return wrong(
        "response_format",
        "has the type " + type.substr(0, 40) + ", but may have text, json_object or json_schema");
  }
  for (const auto& [name, value] : format.items()) {
    const bool schema = (name == "json_schema" && type == "json_schema") ||
                        (name == "schema" && type == "json_object");
    if (name == "type" || schema || value.is_null()) continue;
    return wrong("response_format",
                 "has the field \"" + name.substr(0, 60) + "\", which is not known; leave it out");
  }
  if (type == "text") return StructuredOutput();
  if (type == "json_schema") return read_json_schema(raw);
  // llama.cpp's form of a schema.
  const std::string_view schema = raw_field(raw, "schema");
  if (!schema.empty() && schema != "null") return schema_of("response_format", schema);
  return StructuredOutput::json_object();
}

Result<StructuredOutput> read_structured_outputs(std::string_view raw) {
  if (!raw.starts_with('{')) return wrong("structured_outputs", "must be an object");
  StructuredOutput found;
  for (const auto& [name, value] : raw_fields(raw)) {
    if (value == "null" || value == "false") continue;  // vLLM's own defaults
    const std::string field = "structured_outputs." + name.substr(0, 60);
    Result<StructuredOutput> next = wrong(field, "is not known; leave it out");
    if (name == "json") next = schema_of(field, value);
    if (name == "regex") next = text_of(field, value, StructuredOutput::regex);
    if (name == "choice") next = choices_of(field, value);
    if (name == "grammar") next = text_of(field, value, StructuredOutput::grammar);
    if (name == "json_object" && value == "true") next = StructuredOutput::json_object();
    QUIRE_TRY(next.error());
    if (!found.empty()) return wrong("structured_outputs", "must ask for one thing only");
    found = *std::move(next);
  }
  if (found.empty()) {
    return wrong("structured_outputs",
                 "must have one of json, regex, choice, grammar, json_object");
  }
  return found;
}

Result<StructuredOutput> read(std::string_view name, std::string_view raw) {
  if (name == "response_format") return read_response_format(raw);
  if (name == "structured_outputs") return read_structured_outputs(raw);
  if (name == "guided_choice") return choices_of(name, raw);
  if (name == "guided_regex") return text_of(name, raw, StructuredOutput::regex);
  if (name == "guided_grammar" || name == "grammar") {
    return text_of(name, raw, StructuredOutput::grammar);
  }
  return schema_of(name, raw);
}

}  // namespace

const std::vector<std::string_view>& structured_field_names() {
  static const std::vector<std::string_view> kNames = {"response_format",
                                                       "structured_outputs",
                                                       "guided_json",
                                                       "guided_regex",
                                                       "guided_choice",
                                                       "guided_grammar",
                                                       "grammar",
                                                       "json_schema"};
  return kNames;
}

Result<bool> read_structured_field(std::string_view name,
                                   std::string_view raw,
                                   GenerateRequest* request) {
  const auto& names = structured_field_names();
  if (std::ranges::find(names, name) == names.end()) return false;
  QUIRE_ASSIGN(StructuredOutput output, read(name, raw));
  if (output.empty()) return true;
  output.field = std::string(name);
  StructuredOutput& place = request->params.structured_output;
  const bool of_command_line = place.field.starts_with("option ");  // a default of all lines
  if (!place.empty() && !of_command_line) {
    return wrong(name, "stands beside " + place.field + "; give one of them");
  }
  place = std::move(output);
  return true;
}

}  // namespace quire::wire
