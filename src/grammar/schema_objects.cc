#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grammar/schema_compiler.h"

namespace quire::grammar {
namespace {

// Names in the order in which they are first written.
void add_names(const SchemaRef& schema, std::vector<std::string>* names) {
  const auto add = [names](const std::string& name) {
    if (std::ranges::find(*names, name) == names->end()) names->push_back(name);
  };
  if (const Json* properties = schema.find("properties")) {
    for (const auto& [name, value] : properties->items()) add(name);
  }
}

void add_required(const SchemaRef& schema, std::vector<std::string>* names) {
  const Json* required = schema.find("required");
  if (required == nullptr) return;
  for (const Json& name : *required) {
    const auto& text = name.get_ref<const std::string&>();
    if (std::ranges::find(*names, text) == names->end()) names->push_back(text);
  }
}

}  // namespace

// What the value of this key must be, by each schema's properties, patternProperties, and else
// additionalProperties.
Result<SchemaCompiler::Refs> SchemaCompiler::value_schemas(const std::string& key,
                                                           const Refs& all) {
  Refs schemas;
  for (const SchemaRef& schema : all) {
    bool named = false;
    const Json* properties = schema.find("properties");
    if (properties != nullptr && properties->contains(key)) {
      schemas.push_back(schema.below("properties", key));
      named = true;
    }
    if (const Json* patterns = schema.find("patternProperties")) {
      for (const auto& [text, value] : patterns->items()) {
        QUIRE_ASSIGN(const Dfa dfa, pattern(text, schema.path));
        if (!dfa.accepts(key)) continue;
        schemas.push_back(schema.below("patternProperties", text));
        named = true;
      }
    }
    if (!named && schema.find("additionalProperties") != nullptr) {
      schemas.push_back(schema.below("additionalProperties"));
    }
  }
  return schemas;
}

// Keys that are not named, by which patterns they match; with what their values must be.
Result<std::vector<SchemaCompiler::OtherKeys>> SchemaCompiler::split_others(
    const Refs& all, const std::vector<std::string>& names) {
  const Limits& limits = grammar_.limits();
  std::vector<OtherKeys> cells(1);
  const auto everything = [&] { return length_dfa(0, -1, limits); };
  if (!names.empty()) {
    const Dfa literals = literal_dfa({names.begin(), names.end()});
    cells[0].keys = std::make_shared<const Dfa>(literals.complement());
  }
  for (const SchemaRef& schema : all) {
    std::vector<OtherKeys> plain = std::move(cells);  // those that none of its patterns matched
    std::vector<OtherKeys> matched;
    if (const Json* patterns = schema.find("patternProperties")) {
      for (const auto& [text, value] : patterns->items()) {
        QUIRE_ASSIGN(const Dfa yes, pattern(text, schema.path));
        const Dfa no = yes.complement();
        const auto divide = [&](std::vector<OtherKeys>* list, std::vector<OtherKeys>* with) {
          std::vector<OtherKeys> without;
          for (const OtherKeys& cell : *list) {
            QUIRE_TRY(work());
            QUIRE_ASSIGN(const Dfa keys, cell.keys ? Result<Dfa>(*cell.keys) : everything());
            QUIRE_ASSIGN(Dfa both, intersect(keys, yes, limits));
            QUIRE_ASSIGN(Dfa rest, intersect(keys, no, limits));
            if (!both.empty()) {
              with->push_back({std::make_shared<const Dfa>(std::move(both)), cell.values});
              with->back().values.push_back(schema.below("patternProperties", text));
            }
            if (!rest.empty()) {
              without.push_back({std::make_shared<const Dfa>(std::move(rest)), cell.values});
            }
          }
          *list = std::move(without);
          return ok_status();
        };
        std::vector<OtherKeys> again;
        QUIRE_TRY(divide(&matched, &again));
        QUIRE_TRY(divide(&plain, &again));
        matched.insert(matched.end(), again.begin(), again.end());
      }
    }
    if (schema.find("additionalProperties") != nullptr) {
      for (OtherKeys& cell : plain) cell.values.push_back(schema.below("additionalProperties"));
    }
    cells = std::move(matched);
    cells.insert(cells.end(), plain.begin(), plain.end());
  }
  return cells;
}

Result<ExprId> SchemaCompiler::compile_others(const Refs& all,
                                              const std::vector<std::string>& names) {
  QUIRE_ASSIGN(const auto cells, split_others(all, names));
  std::vector<Dfa> name_languages;
  for (const SchemaRef& schema : all) {
    if (schema.find("propertyNames") == nullptr) continue;
    QUIRE_ASSIGN(const Conjunction rule, flatten({schema.below("propertyNames")}));
    if (rule.never) return grammar_.never();
    if (!rule.choices.empty() || has_values(rule.all)) {
      return invalid_argument("the schema's keyword \"propertyNames\" at " +
                              schema.path.substr(0, 300) +
                              " is enforced for pattern, format and lengths only");
    }
    if ((type_bits(rule.all) & kStringType) == 0) return grammar_.never();
    QUIRE_ASSIGN(std::vector<Dfa> more, string_languages(rule.all));
    std::ranges::move(more, std::back_inserter(name_languages));
    const int min = largest_count(rule.all, "minLength", 0);
    const int max = smallest_count(rule.all, "maxLength", -1);
    if (min == 0 && max < 0) continue;
    QUIRE_ASSIGN(Dfa length, length_dfa(min, max, grammar_.limits()));
    name_languages.push_back(std::move(length));
  }
  std::vector<ExprId> alternatives;
  for (const OtherKeys& cell : cells) {
    QUIRE_ASSIGN(const ExprId value, compile(cell.values));
    if (value == grammar_.never()) continue;
    std::shared_ptr<const Dfa> keys = cell.keys;
    for (const Dfa& language : name_languages) {
      QUIRE_ASSIGN(Dfa both,
                   keys ? intersect(*keys, language, grammar_.limits()) : Result<Dfa>(language));
      keys = std::make_shared<const Dfa>(std::move(both));
    }
    const ExprId key =
        keys ? text_.quoted(grammar_.dfa(keys, Spelling::kJson)) : text_.any_string();
    alternatives.push_back(text_.member(key, value));
  }
  return grammar_.alt(std::move(alternatives));
}

// What may follow a member: the end, or a comma and the next.
ExprId SchemaCompiler::rest(std::size_t at, int count, ObjectShape* shape) {
  const bool counted = shape->min > 0 || shape->max >= 0;
  const auto [found, added] = shape->rest.try_emplace({at, counted ? count : 0}, 0);
  if (!added) return grammar_.rule(found->second);
  const RuleId rule = grammar_.add_rule("rest");
  found->second = rule;
  if (!grammar_.full().ok()) return grammar_.never();
  const auto& properties = shape->properties;
  const bool open = std::any_of(properties.begin() + static_cast<std::ptrdiff_t>(at),
                                properties.end(),
                                [](const Property& property) { return property.required; });
  std::vector<ExprId> ways;
  if (!open && count >= shape->min) ways.push_back(grammar_.empty());
  if (shape->max < 0 || count < shape->max) {
    ways.push_back(grammar_.concat({text_.byte(','), text_.whitespace(), keys(at, count, shape)}));
  }
  grammar_.set_body(rule, grammar_.alt(std::move(ways)));
  return grammar_.rule(rule);
}

// The next member, and what follows it. Properties come in their order, optional ones may be left
// out; then others.
ExprId SchemaCompiler::keys(std::size_t at, int count, ObjectShape* shape) {
  const bool counted = shape->min > 0 || shape->max >= 0;
  const auto [found, added] = shape->keys.try_emplace({at, counted ? count : 0}, 0);
  if (!added) return grammar_.rule(found->second);
  const RuleId rule = grammar_.add_rule("keys");
  found->second = rule;
  if (!grammar_.full().ok()) return grammar_.never();
  std::vector<ExprId> ways;
  if (at < shape->properties.size()) {
    const Property& property = shape->properties[at];
    ways.push_back(grammar_.concat({text_.member(text_.string(property.name), property.value),
                                    rest(at + 1, count + 1, shape)}));
    if (!property.required) ways.push_back(keys(at + 1, count, shape));
  } else if (shape->other != grammar_.never()) {
    // Others may repeat a key, as JSON lets them; so only one of them is sure to count.
    if (shape->min > count + 1) shape->too_many = true;
    const ExprId more = grammar_.concat({text_.byte(','), text_.whitespace(), shape->other});
    const int most = shape->max < 0 ? -1 : shape->max - count - 1;
    ways.push_back(grammar_.concat({shape->other, grammar_.repeat(more, 0, most)}));
  }
  grammar_.set_body(rule, grammar_.alt(std::move(ways)));
  return grammar_.rule(rule);
}

ExprId SchemaCompiler::members(ObjectShape* shape) {
  const bool open = std::ranges::any_of(shape->properties, &Property::required);
  std::vector<ExprId> ways;
  if (!open && shape->min == 0) ways.push_back(grammar_.empty());
  if (shape->max != 0) ways.push_back(keys(0, 0, shape));
  return grammar_.concat(
      {text_.byte('{'), text_.whitespace(), grammar_.alt(std::move(ways)), text_.byte('}')});
}

Result<ExprId> SchemaCompiler::compile_object(const Refs& all) {
  std::vector<std::string> names;
  for (const SchemaRef& schema : all) add_names(schema, &names);
  for (const SchemaRef& schema : all) add_required(schema, &names);
  std::vector<std::string> required;
  for (const SchemaRef& schema : all) add_required(schema, &required);
  ObjectShape shape;
  shape.max = smallest_count(all, "maxProperties", -1);
  for (const std::string& name : names) {
    QUIRE_ASSIGN(const Refs schemas, value_schemas(name, all));
    QUIRE_ASSIGN(const ExprId value, compile(schemas));
    const bool needed = std::ranges::find(required, name) != required.end();
    bool named = true;
    for (const SchemaRef& schema : all) {
      if (schema.find("propertyNames") == nullptr) continue;
      QUIRE_ASSIGN(const bool fits, valid(Json(name), Refs{schema.below("propertyNames")}));
      named = named && fits;
    }
    if (needed && (value == grammar_.never() || !named)) return grammar_.never();
    if (value != grammar_.never() && named) shape.properties.push_back({name, value, needed});
  }
  QUIRE_ASSIGN(shape.other, compile_others(all, names));
  // A minimum that the required ones reach by themselves needs no counting; nor does a maximum that
  // nothing passes.
  const int min = largest_count(all, "minProperties", 0);
  const auto num_required = std::ranges::count_if(shape.properties, &Property::required);
  if (min > num_required) shape.min = min;
  const auto count = static_cast<int>(shape.properties.size());
  if (shape.other == grammar_.never() && shape.max >= count) shape.max = -1;
  const ExprId object = members(&shape);
  if (shape.too_many) {
    return invalid_argument(
        "the schema's keyword \"minProperties\" at " + all.front().path.substr(0, 300) +
        " is not enforced where more than one property would have a name that the schema does not "
        "give; name the properties, or lower it");
  }
  return object;
}

SchemaCompiler::Refs SchemaCompiler::item_schemas(std::size_t at, const Refs& all) {
  Refs schemas;
  for (const SchemaRef& schema : all) {
    // The older drafts' list of items is prefixItems, and additionalItems what is items today.
    const Json* items = schema.find("items");
    const bool older = items != nullptr && items->is_array();
    const char* const prefix = older ? "items" : "prefixItems";
    const char* const tail = older ? "additionalItems" : "items";
    const Json* first = schema.find(prefix);
    if (first != nullptr && at < first->size()) {
      schemas.push_back(schema.item(prefix, at));
    } else if (schema.find(tail) != nullptr) {
      schemas.push_back(schema.below(tail));
    }
  }
  return schemas;
}

Result<ExprId> SchemaCompiler::compile_array(const Refs& all) {
  std::size_t num_first = 0;
  for (const SchemaRef& schema : all) {
    for (const char* keyword : {"prefixItems", "items"}) {
      const Json* list = schema.find(keyword);
      if (list != nullptr && list->is_array()) num_first = std::max(num_first, list->size());
    }
  }
  const int min = largest_count(all, "minItems", 0);
  const int max = smallest_count(all, "maxItems", -1);
  const auto first = static_cast<int>(num_first);
  QUIRE_ASSIGN(const ExprId last, compile(item_schemas(num_first, all)));
  const ExprId comma = grammar_.concat({text_.byte(','), text_.whitespace()});
  const auto with_space = [&](ExprId item) { return grammar_.concat({item, text_.whitespace()}); };
  const ExprId more = grammar_.concat({comma, with_space(last)});
  const auto tail = [&](int count) {  // after so many items, all of the first among them
    if (max >= 0 && count > max) return grammar_.never();
    return grammar_.repeat(more, std::max(0, min - count), max < 0 ? -1 : max - count);
  };
  ExprId after = tail(std::max(first, 1));
  ExprId head = with_space(last);
  for (int i = first; i-- > 0;) {
    QUIRE_ASSIGN(const ExprId item, compile(item_schemas(static_cast<std::size_t>(i), all)));
    if (i + 1 < first) {  // what comes behind item i: the end, or item i + 1 and what follows it
      std::vector<ExprId> ways;
      if (i + 1 >= min) ways.push_back(grammar_.empty());
      if (max < 0 || i + 1 < max) ways.push_back(grammar_.concat({comma, head, after}));
      after = grammar_.alt(std::move(ways));
    }
    head = with_space(item);
  }
  std::vector<ExprId> ways;
  if (min == 0) ways.push_back(grammar_.empty());
  if (max != 0) ways.push_back(grammar_.concat({head, after}));
  return grammar_.concat(
      {text_.byte('['), text_.whitespace(), grammar_.alt(std::move(ways)), text_.byte(']')});
}

}  // namespace quire::grammar
