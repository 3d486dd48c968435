#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "grammar/schema_compiler.h"

namespace quire::grammar {
namespace {

std::uint8_t type_bit(std::string_view name) {
  if (name == "null") return kNullType;
  if (name == "boolean") return kBooleanType;
  if (name == "integer") return kIntegerType;
  if (name == "number") return kNumberType | kIntegerType;
  if (name == "string") return kStringType;
  if (name == "array") return kArrayType;
  return kObjectType;
}

int count_of(const Json& value) {
  constexpr int kMost = std::numeric_limits<int>::max() - 1;
  if (value.is_number_float()) {
    return value.get<double>() >= kMost ? kMost : static_cast<int>(value.get<double>());
  }
  return static_cast<int>(std::min(value.get<std::uint64_t>(), std::uint64_t{kMost}));
}

std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::uint8_t type_bits(const SchemaRef& schema) {
  const Json* type = schema.find("type");
  if (type == nullptr) return kAllTypes;
  unsigned bits = 0;
  if (type->is_string()) bits = type_bit(type->get<std::string_view>());
  if (type->is_array()) {
    for (const Json& name : *type) bits |= type_bit(name.get<std::string_view>());
  }
  if (const Json* nullable = schema.find("nullable"); nullable != nullptr && *nullable == true) {
    bits |= kNullType;
  }
  return static_cast<std::uint8_t>(bits);
}

std::uint8_t type_bits(const std::vector<SchemaRef>& all) {
  unsigned bits = kAllTypes;
  for (const SchemaRef& schema : all) bits &= type_bits(schema);
  return static_cast<std::uint8_t>(bits);
}

std::uint8_t type_bits_of_value(const Json& value) {
  if (value.is_null()) return kNullType;
  if (value.is_boolean()) return kBooleanType;
  if (value.is_string()) return kStringType;
  if (value.is_array()) return kArrayType;
  if (value.is_object()) return kObjectType;
  const auto decimal = decimal_of(value);
  return !decimal || decimal->fraction.empty() ? kIntegerType : kNumberType;
}

int largest_count(const std::vector<SchemaRef>& all, const char* keyword, int otherwise) {
  int largest = otherwise;
  for (const SchemaRef& schema : all) {
    if (const Json* count = schema.find(keyword)) largest = std::max(largest, count_of(*count));
  }
  return largest;
}

int smallest_count(const std::vector<SchemaRef>& all, const char* keyword, int otherwise) {
  int smallest = otherwise;
  for (const SchemaRef& schema : all) {
    const Json* count = schema.find(keyword);
    if (count == nullptr) continue;
    smallest = smallest < 0 ? count_of(*count) : std::min(smallest, count_of(*count));
  }
  return smallest;
}

bool same_value(const Json& a, const Json& b) {
  if (a.is_object() && b.is_object()) {  // in any order
    if (a.size() != b.size()) return false;
    return std::ranges::all_of(a.items(), [&](const auto& item) {
      const auto found = b.find(item.key());
      return found != b.end() && same_value(item.value(), *found);
    });
  }
  if (a.is_array() && b.is_array()) {
    return std::ranges::equal(a, b, same_value);
  }
  return a == b;
}

bool has_values(const std::vector<SchemaRef>& all) {
  return std::ranges::any_of(all, [](const SchemaRef& schema) {
    return schema.find("enum") != nullptr || schema.find("const") != nullptr;
  });
}

std::vector<const Json*> allowed_values(const std::vector<SchemaRef>& all) {
  std::vector<const Json*> values;
  bool first = true;
  const auto keep = [&](const std::vector<const Json*>& others) {
    if (std::exchange(first, false)) {
      values = others;
      return;
    }
    std::erase_if(values, [&](const Json* value) {
      return std::ranges::none_of(others,
                                  [&](const Json* other) { return same_value(*value, *other); });
    });
  };
  for (const SchemaRef& schema : all) {
    if (const Json* constant = schema.find("const")) keep({constant});
    if (const Json* list = schema.find("enum")) {
      std::vector<const Json*> others;
      for (const Json& value : *list) others.push_back(&value);
      keep(others);
    }
  }
  return values;
}

// The values of enum and const that the rest of the schema allows.
Result<ExprId> SchemaCompiler::compile_values(const Refs& all) {
  std::vector<ExprId> alternatives;
  std::vector<const Json*> taken;
  for (const Json* value : allowed_values(all)) {
    const auto same = [&](const Json* other) { return same_value(*value, *other); };
    if (taken.size() < 64 && std::ranges::any_of(taken, same)) continue;
    QUIRE_ASSIGN(const bool fits, valid(*value, Conjunction{.all = all}));
    if (!fits) continue;
    taken.push_back(value);
    alternatives.push_back(text_.literal(*value));
  }
  return grammar_.alt(std::move(alternatives));
}

Result<bool> SchemaCompiler::valid(const Json& value, const Refs& refs) {
  QUIRE_ASSIGN(const Conjunction all, flatten(refs));
  return valid(value, all);
}

Result<bool> SchemaCompiler::valid(const Json& value, const Conjunction& all) {
  QUIRE_TRY(work());
  if (all.never) return false;
  if (!all.choices.empty()) {
    QUIRE_ASSIGN(const auto ways, branches(all));
    for (const Conjunction& way : ways) {
      QUIRE_ASSIGN(const bool fits, valid(value, way));
      if (fits) return true;
    }
    return false;
  }
  const std::uint8_t type = type_bits_of_value(value);
  if ((type_bits(all.all) & type) == 0) return false;
  if (has_values(all.all)) {
    const auto values = allowed_values(all.all);
    const auto same = [&](const Json* other) { return same_value(value, *other); };
    if (std::ranges::none_of(values, same)) return false;
  }
  if (value.is_string()) return valid_string(value.get_ref<const std::string&>(), all.all);
  if (value.is_object()) return valid_object(value, all.all);
  if (value.is_array()) return valid_array(value, all.all);
  if (!value.is_number()) return true;
  QUIRE_ASSIGN(const NumberRange range, number_range(all.all, type == kIntegerType));
  if (range.is_free()) return true;
  QUIRE_ASSIGN(const Dfa dfa, number_dfa(range, grammar_.limits()));
  const auto decimal = decimal_of(value);
  if (!decimal) return false;
  const std::string fraction = decimal->fraction.empty() ? "" : "." + decimal->fraction;
  return dfa.accepts((decimal->negative ? "-" : "") + decimal->whole + fraction);
}

Result<bool> SchemaCompiler::valid_string(const std::string& value, const Refs& all) {
  const std::size_t length = length_of(value);
  const int most = smallest_count(all, "maxLength", -1);
  if (length < static_cast<std::size_t>(largest_count(all, "minLength", 0))) return false;
  if (most >= 0 && length > static_cast<std::size_t>(most)) return false;
  QUIRE_ASSIGN(const std::vector<Dfa> languages, string_languages(all));
  return std::ranges::all_of(languages, [&](const Dfa& dfa) { return dfa.accepts(value); });
}

Result<bool> SchemaCompiler::valid_object(const Json& value, const Refs& all) {
  const auto size = static_cast<int>(value.size());
  const int most = smallest_count(all, "maxProperties", -1);
  if (size < largest_count(all, "minProperties", 0) || (most >= 0 && size > most)) return false;
  for (const SchemaRef& schema : all) {
    const Json* required = schema.find("required");
    if (required == nullptr) continue;
    for (const Json& name : *required) {
      if (!value.contains(name.get_ref<const std::string&>())) return false;
    }
  }
  for (const auto& [key, item] : value.items()) {
    QUIRE_ASSIGN(const Refs schemas, value_schemas(key, all));
    QUIRE_ASSIGN(const bool fits, valid(item, schemas));
    if (!fits) return false;
    for (const SchemaRef& schema : all) {
      if (schema.find("propertyNames") == nullptr) continue;
      QUIRE_ASSIGN(const bool named, valid(Json(key), Refs{schema.below("propertyNames")}));
      if (!named) return false;
    }
  }
  return true;
}

Result<bool> SchemaCompiler::valid_array(const Json& value, const Refs& all) {
  const auto size = static_cast<int>(value.size());
  const int most = smallest_count(all, "maxItems", -1);
  if (size < largest_count(all, "minItems", 0) || (most >= 0 && size > most)) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    QUIRE_ASSIGN(const bool fits, valid(value[i], item_schemas(i, all)));
    if (!fits) return false;
  }
  return true;
}

}  // namespace quire::grammar
